import type { Resolution, StoredReading, Value } from '../../contract/index.ts'
import { type Column, KIND, planColumn } from './column.ts'
import { freshModels } from './contexts.ts'
import { doubleOf, toNumber } from './formats.ts'
import { codeColumns } from './layout.ts'
import { malformed } from './malformed.ts'
import { RangeDecoder, RangeEncoder } from './range-coder.ts'

const VERSION = 1

/**
 * Readings of any channels as one blob that decodes without anything else: by channel, times as a grid with errors,
 * values as integers beside a prediction, all through one adaptive range coder. Exact: every double with its sign,
 * every bigint, every string. A few bytes of overhead, so an hour of one channel packs well too.
 * @param resolutionOf the declared grid of a channel, null where there is none
 * @throws RangeError for a number that is not finite (such a reading is `bad` with value null), a time that is not a
 *   whole number of milliseconds, or a channel that is not a natural number from 1 on
 */
export function encodeColumns(
  readings: readonly StoredReading[],
  resolutionOf: (channel: number) => Resolution | null,
): Uint8Array {
  const byChannel = new Map<number, StoredReading[]>()
  for (const reading of readings) {
    const list = byChannel.get(reading.channel)
    if (list === undefined) byChannel.set(reading.channel, [reading])
    else list.push(reading)
  }
  const channels = [...byChannel].sort(([a], [b]) => a - b)
  const columns = channels.map(([channel, list]) => {
    if (!Number.isSafeInteger(channel) || channel < 1)
      throw new RangeError('A channel number is out of range.')
    return planColumn(channel, list, resolutionOf(channel))
  })
  const coder = new RangeEncoder(freshModels())
  codeColumns(coder, columns, readings.length)
  const bytes = coder.finish()
  const blob = new Uint8Array(1 + bytes.length)
  blob[0] = VERSION
  blob.set(bytes, 1)
  return blob
}

/**
 * The inverse: readings by ascending channel number, in each channel in the order given.
 * @param readingsMax a blob that claims more is refused before they are made
 * @throws SyncError SYNC_MESSAGE_MALFORMED
 */
export function decodeColumns(bytes: Uint8Array, readingsMax: number): StoredReading[] {
  if (bytes[0] !== VERSION) throw malformed('The columns are of another version.')
  const coder = new RangeDecoder(freshModels(), bytes.subarray(1))
  const columns: Column[] = []
  codeColumns(coder, columns, readingsMax)
  coder.finish()
  const readings: StoredReading[] = []
  for (const column of columns) put(readings, column)
  return readings
}

/** Puts a column's parts together again. */
function put(readings: StoredReading[], column: Column): void {
  const next = { number: 0, text: 0, big: 0, stray: 0 }
  const valueOf = (kind: number): Value => {
    switch (kind) {
      case KIND.number: {
        const at = next.number++
        return toNumber(column.integers[at] ?? 0, column.format, column.lows[at] ?? 0)
      }
      case KIND.text:
        return column.texts[next.text++] ?? ''
      case KIND.big:
        return column.bigs[next.big++] ?? 0n
      case KIND.stray: {
        const { high, low } = column.strays[next.stray++] ?? { high: 0, low: 0 }
        return doubleOf(high | 0, low)
      }
      default:
        return null
    }
  }
  for (const [at, kind] of column.kinds.entries()) {
    const takenAt = column.times.at[at] ?? 0
    const { quality, reason } = column.labels[at] ?? { quality: 'good', reason: null }
    readings.push({ channel: column.channel, takenAt, value: valueOf(kind), quality, reason })
  }
}
