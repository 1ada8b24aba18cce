import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { BATCH_RECORDS_MAX, Epoch, GatewayId, type SealedRecord, SyncError } from '../contract/index.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { checked } from './json.ts'
import { sha256 } from './keys.ts'
import { decodeRecord } from './usage-record.ts'

const VERSION = 1
/** Largest batch after unpacking, bytes: hostile ones may claim any size. */
const UNPACKED_BYTES_MAX = 8 * 1024 * 1024

/** The body of a message on `usage`. */
export interface UsageBatch {
  readonly v: 1
  readonly gw: GatewayId
  readonly epoch: Epoch
  readonly first: number
  readonly last: number
  readonly records: readonly SealedRecord[]
}

/** Packs records' stored bytes, first sequence number first, without a gap. 1 to BATCH_RECORDS_MAX of them. */
export function encodeUsageBatch(batch: {
  readonly gw: GatewayId
  readonly epoch: Epoch
  readonly first: number
  /** Each record's stored bytes. */
  readonly records: readonly Uint8Array[]
}): Uint8Array {
  if (batch.records.length < 1 || batch.records.length > BATCH_RECORDS_MAX) {
    throw new SyncError('SYNC_PAYLOAD_TOO_LARGE', `A batch has 1 to ${BATCH_RECORDS_MAX} records.`)
  }
  const inner = new ByteWriter()
  for (const bytes of batch.records) {
    inner.varint(bytes.length)
    inner.bytes(bytes)
  }
  const writer = new ByteWriter()
  writer.byte(VERSION)
  writer.text(batch.gw)
  writer.hex(batch.epoch)
  writer.varint(batch.first)
  writer.varint(batch.records.length)
  writer.bytes(deflateRawSync(inner.finish(), { level: 9 }))
  return writer.finish()
}

/**
 * The exact inverse; checks that every record is of this gateway and epoch and that the numbers are contiguous. The
 * chain is the ledger's to verify, with the head it has.
 * @throws SyncError SYNC_MESSAGE_MALFORMED
 */
export function decodeUsageBatch(body: Uint8Array): UsageBatch {
  const reader = new ByteReader(body)
  if (reader.byte() !== VERSION) throw malformed('The batch is of another version.')
  const gw = checked(GatewayId, reader.text())
  const epoch = checked(Epoch, reader.hex(16))
  const first = reader.varint()
  const count = reader.atMost(BATCH_RECORDS_MAX)
  if (count === 0 || first === 0) throw malformed('The batch has no records.')
  const records = readRecords(unpack(reader.rest(), UNPACKED_BYTES_MAX), count)
  for (const [index, { record }] of records.entries()) {
    if (record.gw !== gw || record.epoch !== epoch) throw malformed('A record is of another stream.')
    if (record.seq !== first + index) throw malformed('The numbers of the records are not contiguous.')
  }
  return { v: 1, gw, epoch, first, last: first + count - 1, records }
}

/** What can be told of a batch that may be damaged. */
export interface DamagedBatch {
  /** Whose it says that it is; empty where that cannot be read. */
  readonly gw: string
  readonly epoch: string
  readonly first: number
  /** Each record's bytes, as far as they can be told apart. */
  readonly records: readonly Uint8Array[]
}

/** What can be told of a batch that may be damaged: to find the record that was changed. Never throws. */
export function recordsInDamaged(body: Uint8Array): DamagedBatch {
  const records: Uint8Array[] = []
  const head = { gw: '', epoch: '', first: 0 }
  try {
    const reader = new ByteReader(body)
    reader.byte()
    head.gw = reader.text()
    head.epoch = reader.hex(16)
    head.first = reader.varint()
    const count = reader.atMost(BATCH_RECORDS_MAX)
    const inner = new ByteReader(unpack(reader.rest(), UNPACKED_BYTES_MAX))
    while (records.length < count) records.push(inner.bytes(inner.varint()))
  } catch {
    // What could be read until here is all there is.
    return { ...head, records }
  }
  return { ...head, records }
}

/** Raw deflate, bounded. */
export function unpack(bytes: Uint8Array, most: number): Uint8Array {
  try {
    return inflateRawSync(bytes, { maxOutputLength: most })
  } catch (cause) {
    throw new SyncError('SYNC_MESSAGE_MALFORMED', 'The packed part is damaged.', { cause })
  }
}

function readRecords(inner: Uint8Array, count: number): SealedRecord[] {
  const reader = new ByteReader(inner)
  const records: SealedRecord[] = []
  for (let read = 0; read < count; read += 1) {
    const bytes = reader.bytes(reader.varint())
    records.push({ record: decodeRecord(bytes), bytes, hash: sha256(bytes) })
  }
  reader.end()
  return records
}

const malformed = (what: string): SyncError => new SyncError('SYNC_MESSAGE_MALFORMED', what)
