import { deflateRawSync } from 'node:zlib'
import { QUALITIES, type Resolution, type StoredReading, SyncError, type Value } from '../contract/index.ts'
import { unpack } from './usage-batch.ts'

const BYTES_A_READING_MAX = 70_000

/**
 * Readings of any channels as one blob that decodes without anything else. Exact, -0 and bigints included.
 * @throws RangeError for a number that is not finite: such a reading is `bad` with value null
 */
export function encodeColumns(
  readings: readonly StoredReading[],
  resolutionOf: (channel: number) => Resolution | null,
): Uint8Array {
  for (const { channel } of readings) resolutionOf(channel)
  const rows = byChannel(readings).map((r) => [r.channel, r.takenAt, plain(r.value), r.quality, r.reason])
  return deflateRawSync(Buffer.from(JSON.stringify(rows)))
}

/**
 * The inverse: readings by ascending channel number, in each channel in the order given.
 * @param readingsMax more than this is refused before it is made
 * @throws SyncError SYNC_MESSAGE_MALFORMED
 */
export function decodeColumns(bytes: Uint8Array, readingsMax: number): StoredReading[] {
  const rows = JSON.parse(Buffer.from(unpack(bytes, readingsMax * BYTES_A_READING_MAX)).toString()) as [
    number,
    number,
    unknown,
    string,
    string | null,
  ][]
  return rows.map(([channel, takenAt, value, quality, reason]) => ({
    channel,
    takenAt,
    value: fromPlain(value),
    quality: QUALITIES.find((known) => known === quality) ?? 'bad',
    reason,
  }))
}

/** Stable: what decoding gives back. */
function byChannel(readings: readonly StoredReading[]): StoredReading[] {
  return readings.toSorted((a, b) => a.channel - b.channel)
}

function plain(value: Value): unknown {
  if (typeof value === 'bigint') return { b: value.toString() }
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError('A value is not finite.')
  return Object.is(value, -0) ? { z: 0 } : value
}

function fromPlain(value: unknown): Value {
  if (value === null || typeof value === 'number' || typeof value === 'string') return value
  if (typeof value === 'object' && 'z' in value) return -0
  if (typeof value === 'object' && 'b' in value && typeof value.b === 'string') return BigInt(value.b)
  throw new SyncError('SYNC_MESSAGE_MALFORMED', 'A value is of no known kind.')
}
