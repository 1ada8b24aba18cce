import { type DayShare, type DayTotals, type LinkSource, METERS, SyncError } from '../contract/index.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'

/** What a record may say beyond its registers. A record without parts ends with them, as records always did. */
export interface UsageParts {
  readonly src?: LinkSource | undefined
  readonly close?: DayTotals | undefined
  readonly share?: DayShare | undefined
}

/** First byte of each part; they stand in this order. */
const SRC = 1
const CLOSE = 2
const SHARE = 3

/** Bits of a source's flag byte. */
const ROAMING = 1
const HAS_ICCID = 2
const HAS_NETWORK = 4
const HAS_RAT = 8

export function writeParts(writer: ByteWriter, { src, close, share }: UsageParts): void {
  if (src !== undefined) writeSource(writer, src)
  if (close !== undefined) writeTotals(writer, close)
  if (share !== undefined) writeShare(writer, share)
}

/** The exact inverse; the caller checks the values. */
export function readParts(reader: ByteReader): Record<string, unknown> {
  const parts: Record<string, unknown> = {}
  let last = 0
  while (!reader.isAtEnd) {
    const tag = reader.byte()
    if (tag <= last) throw malformed('The parts of a record are out of order.')
    last = tag
    if (tag === SRC) parts['src'] = readSource(reader)
    else if (tag === CLOSE) parts['close'] = readTotals(reader)
    else if (tag === SHARE) parts['share'] = readShare(reader)
    else throw malformed('A record has a part that is not known.')
  }
  return parts
}

function writeSource(writer: ByteWriter, { iface, ifindex, iccid, mccmnc, roaming, rat }: LinkSource): void {
  writer.byte(SRC)
  writer.text(iface)
  writer.varint(ifindex)
  const texts = [
    [HAS_ICCID, iccid],
    [HAS_NETWORK, mccmnc],
    [HAS_RAT, rat],
  ] as const
  let flags = roaming ? ROAMING : 0
  for (const [bit, value] of texts) if (value !== null) flags |= bit
  writer.byte(flags)
  for (const [, value] of texts) if (value !== null) writer.text(value)
}

function readSource(reader: ByteReader): unknown {
  const [iface, ifindex, flags] = [reader.text(), reader.varint(), reader.byte()]
  if (flags > 15) throw malformed('A source has a flag that is not known.')
  const textIf = (bit: number): string | null => (flags & bit ? reader.text() : null)
  const [iccid, mccmnc, rat] = [textIf(HAS_ICCID), textIf(HAS_NETWORK), textIf(HAS_RAT)]
  return { iface, ifindex, iccid, mccmnc, roaming: (flags & ROAMING) !== 0, rat }
}

function writeTotals(writer: ByteWriter, { records, sensors, totals }: DayTotals): void {
  writer.byte(CLOSE)
  writer.varint(records)
  writer.varint(sensors)
  writer.varint(totals.length)
  for (const { meter, quantity } of totals) {
    writer.varint(METERS.indexOf(meter))
    writer.bigVarint(quantity)
  }
}

function readTotals(reader: ByteReader): unknown {
  const [records, sensors] = [reader.varint(), reader.varint()]
  const totals: unknown[] = []
  const count = reader.atMost(METERS.length)
  for (let read = 0; read < count; read += 1) {
    totals.push({ meter: METERS[reader.varint()], quantity: reader.bigVarint() })
  }
  return { records, sensors, totals }
}

function writeShare(writer: ByteWriter, { epoch, from, to, of }: DayShare): void {
  writer.byte(SHARE)
  writer.byte(epoch === null ? 0 : 1)
  if (epoch !== null) writer.hex(epoch)
  writer.varint(from)
  writer.varint(to)
  writer.varint(of)
}

function readShare(reader: ByteReader): unknown {
  const epoch = reader.atMost(1) === 0 ? null : reader.hex(16)
  return { epoch, from: reader.varint(), to: reader.varint(), of: reader.varint() }
}

const malformed = (what: string): SyncError => new SyncError('SYNC_MESSAGE_MALFORMED', what)
