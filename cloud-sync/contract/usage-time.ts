import type { RecordTime } from './usage.ts'

/** First and last moment, epoch ms, whose year has four digits: whatever is written from a record can say it (RFC 3339). */
const MOMENT_MIN = -62_167_219_200_000
const MOMENT_MAX = 253_402_300_799_999
/** Before this there was no clock to say so. */
const DAY_MIN = '1970-01-01'

/** Whether there is such a day and there are such moments: a schema knows only their form. */
export const isPossibleTime = ({ wallStart, wallEnd, day }: RecordTime): boolean =>
  isMoment(wallStart) && isMoment(wallEnd) && (day === null || isRealDay(day))

/** A moment as RFC 3339 has it; one that it cannot say as the first or last that it can. */
export const momentText = (ms: number): string =>
  new Date(Math.min(Math.max(ms, MOMENT_MIN), MOMENT_MAX)).toISOString()

const isMoment = (ms: number): boolean => ms >= MOMENT_MIN && ms <= MOMENT_MAX

/** Records after each other are mostly of one day. */
let lastReal = DAY_MIN

function isRealDay(day: string): boolean {
  if (day === lastReal) return true
  const start = Date.parse(`${day}T00:00:00Z`)
  // Some days over the end of a month are read as days of the next one.
  if (day < DAY_MIN || Number.isNaN(start) || !new Date(start).toISOString().startsWith(day)) return false
  lastReal = day
  return true
}
