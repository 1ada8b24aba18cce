const HOUR_MS = 3_600_000
const ALARM_HOURS = 30 * 24

/** Kind of the event that a claim has waited too long for the cloud's word. */
export const UNCONFIRMED_EVENT = 'claim_unconfirmed'

/** Whether it is to be told after so many hours of running: after 30 days, and each 30 days again. */
export const isAlarm = (hours: number): boolean => hours > 0 && hours % ALARM_HOURS === 0

/**
 * Hours of running, not of the calendar: a gateway that nobody confirms is often one that has no trusted time either.
 * The returned way stops it.
 */
export function eachHour(run: () => void): () => void {
  const timer = setInterval(run, HOUR_MS)
  timer.unref()
  return () => {
    clearInterval(timer)
  }
}
