import { AgentError } from '../../../errors.ts'
import { csvRows } from './csv.ts'
import { type CarrierProfile, UNITS } from './profile.ts'
import { monthlyKey, simOf } from './sim.ts'

/** Decimals of a volume that count, as 0.000001 of a unit. */
const SCALE_DIGITS = 6
const SCALE = 10n ** BigInt(SCALE_DIGITS)
/** From here on a number of `unix` is milliseconds. */
const UNIX_MS_MIN = 100_000_000_000

/** What a carrier billed for a SIM in a month. */
export interface CarrierMonth {
  readonly sim: string
  readonly month: string
  readonly bytes: bigint
  /** Rows of the file: sessions, where it has one a row. */
  readonly sessions: number
}

/** Adds up a carrier's file by SIM and month, under `monthlyKey`. @throws AgentError CDR_INVALID with the row */
export async function carrierMonths(
  pieces: AsyncIterable<string>,
  profile: CarrierProfile,
): Promise<Map<string, CarrierMonth>> {
  const months = new Map<string, { sim: string; month: string; scaled: bigint; sessions: number }>()
  let columns: Columns | undefined
  let row = 0
  try {
    for await (const fields of csvRows(pieces, profile.delimiter)) {
      row += 1
      if (columns === undefined) {
        columns = columnsIn(fields, profile)
        continue
      }
      const sim = simOf(fields[columns.sim] ?? '')
      const month = monthOf(fields[columns.at] ?? '', profile.dates)
      const key = monthlyKey(sim, month)
      const sum = months.get(key) ?? { sim, month, scaled: 0n, sessions: 0 }
      for (const at of columns.volume) sum.scaled += scaledOf(fields[at] ?? '')
      sum.sessions += 1
      months.set(key, sum)
    }
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new AgentError('CDR_INVALID', `row ${row}: ${cause.message}`, { cause })
  }
  if (columns === undefined) throw new AgentError('CDR_INVALID', 'the file is empty')
  const unit = BigInt(UNITS[profile.unit])
  const whole = (scaled: bigint): bigint => (scaled * unit + SCALE / 2n) / SCALE
  return new Map([...months].map(([key, { scaled, ...month }]) => [key, { ...month, bytes: whole(scaled) }]))
}

interface Columns {
  readonly sim: number
  readonly at: number
  readonly volume: readonly number[]
}

function columnsIn(head: readonly string[], { columns }: CarrierProfile): Columns {
  const names = head.map((name) => name.replace(/^\uFEFF/, '').trim())
  const at = (name: string): number => {
    const found = names.indexOf(name)
    if (found === -1) throw new RangeError(`there is no column ${name} among ${names.join(', ')}`)
    return found
  }
  const volume = typeof columns.volume === 'string' ? [columns.volume] : columns.volume
  return { sim: at(columns.sim), at: at(columns.at), volume: volume.map(at) }
}

function scaledOf(text: string): bigint {
  const [, whole, fraction = ''] = /^(\d{1,18})(?:\.(\d{1,18}))?$/.exec(text.trim()) ?? []
  if (whole === undefined) throw new RangeError(`${text} is no volume`)
  return BigInt(whole) * SCALE + BigInt(fraction.slice(0, SCALE_DIGITS).padEnd(SCALE_DIGITS, '0'))
}

/** `2026-11`, as the carrier's own calendar has it. */
function monthOf(text: string, dates: CarrierProfile['dates']): string {
  const given = text.trim()
  if (dates === 'unix') return unixMonth(given)
  const parts = (dates === 'iso' ? /^(\d{4})[-/.]?(\d{2})/ : /^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})/).exec(
    given,
  )
  if (parts === null) throw new RangeError(`${given} is no date (dates: ${dates})`)
  const [, first = '', second = '', third = ''] = parts
  const [year, month] =
    dates === 'iso' ? [first, second] : [third, (dates === 'dmy' ? second : first).padStart(2, '0')]
  if (Number(month) < 1 || Number(month) > 12) throw new RangeError(`${given} has no month ${month}`)
  return `${year}-${month}`
}

function unixMonth(text: string): string {
  if (!/^\d{9,14}$/.test(text)) throw new RangeError(`${text} is no time (dates: unix)`)
  const at = Number(text)
  return new Date(at >= UNIX_MS_MIN ? at : at * 1_000).toISOString().slice(0, 7)
}
