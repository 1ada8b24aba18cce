import { deflateRawSync } from 'node:zlib'
import { z } from 'zod'
import {
  BATCH_READINGS_MAX,
  ChannelDef,
  Epoch,
  GatewayId,
  Hash,
  type ReadingBatch,
  SyncError,
} from '../contract/index.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { decodeColumns, encodeColumns } from './columns/columns.ts'
import { checked, fromJson, toJson } from './json.ts'
import { unpack } from './usage-batch.ts'

const VERSION = 1
/** Definitions in one batch: at most one for each reading. */
const Defs = z.array(ChannelDef).max(BATCH_READINGS_MAX)
/** Largest definitions after unpacking, bytes. */
const DEFS_BYTES_MAX = 4 * 1024 * 1024

/**
 * The body of a message on `rd` or `rd/h`: version, gw, epoch (16), seq, prev (32), packed definitions (length 0 where
 * there are none), columns. Readings come back by channel number, in each channel in the order given.
 */
export function encodeReadingBatch(
  batch: ReadingBatch,
  resolutionOf: (channel: number) => ChannelDef['resolution'],
): Uint8Array {
  if (batch.readings.length > BATCH_READINGS_MAX) {
    throw new SyncError('SYNC_PAYLOAD_TOO_LARGE', `A batch has at most ${BATCH_READINGS_MAX} readings.`)
  }
  const defs = batch.defs.length === 0 ? new Uint8Array() : deflateRawSync(toJson(batch.defs), { level: 9 })
  const writer = new ByteWriter()
  writer.byte(VERSION)
  writer.text(batch.gw)
  writer.hex(batch.epoch)
  writer.varint(batch.seq)
  writer.hex(batch.prev)
  writer.varint(defs.length)
  writer.bytes(defs)
  writer.bytes(encodeColumns(batch.readings, resolutionOf))
  return writer.finish()
}

/** @throws SyncError SYNC_MESSAGE_MALFORMED for any bytes that are not a batch */
export function decodeReadingBatch(body: Uint8Array): ReadingBatch {
  const reader = new ByteReader(body)
  if (reader.byte() !== VERSION) {
    throw new SyncError('SYNC_MESSAGE_MALFORMED', 'The batch is of another version.')
  }
  const gw = checked(GatewayId, reader.text())
  const epoch = checked(Epoch, reader.hex(16))
  const seq = reader.varint()
  const prev = checked(Hash, reader.hex(32))
  const packed = reader.bytes(reader.varint())
  const defs = packed.length === 0 ? [] : fromJson(Defs, unpack(packed, DEFS_BYTES_MAX))
  return { v: 1, gw, epoch, seq, prev, defs, readings: decodeColumns(reader.rest(), BATCH_READINGS_MAX) }
}
