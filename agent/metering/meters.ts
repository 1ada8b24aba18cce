import type { OrgId, Quality, Subject, Value } from '../../cloud-sync/contract/index.ts'
import type { Increment, Owner } from './register.ts'

/** What the meters look at in a reading. */
export interface Countable {
  readonly value: Value
  readonly quality: Quality
  readonly derived: boolean
  /** Bytes that carried the value in the device's answer. */
  readonly payloadBytes: number
  /** False for what the gateway measures of itself: counted, and nobody is billed for it. Default true. */
  readonly billable?: boolean
}

export type DayOf = (org: OrgId) => string | null

/** Counts of one sensor for one owner that are not committed yet. */
interface Tally {
  readonly subject: Subject
  readonly owner: Owner
  readonly billable: boolean
  readings: number
  values: number
  payloadBytes: number
}

/**
 * Counts readings between two commits. The rules (docs/contract.md):
 * `sensor.readings` +1 for each value read directly and good or uncertain; `sensor.values` +1 for each value, derived
 * ones too; `sensor.payload_bytes` the bytes that carried them; `sensor.active_day` 1 for each day of trusted time with
 * a counted reading.
 */
export class Meters {
  /** By identity of the owner object: the pipeline hands the same object until the owner changes. */
  #tallies = new Map<Subject, Tally[]>()

  count(subject: Subject, owner: Owner, reading: Countable): void {
    const tally = this.#tallyFor(subject, owner, reading.billable ?? true)
    if (reading.value !== null) {
      tally.values += 1
      if (!reading.derived && reading.quality !== 'bad') tally.readings += 1
    }
    tally.payloadBytes += reading.payloadBytes
  }

  /** What was counted since `clear`, in order. `dayOf` = an organisation's day where time is trusted, else null. */
  increments(dayOf: DayOf): Increment[] {
    return [...this.#tallies.values()].flat().flatMap((tally) => incrementsOf(tally, dayOf(tally.owner.org)))
  }

  /** Called once they are committed. */
  clear(): void {
    this.#tallies.clear()
  }

  #tallyFor(subject: Subject, owner: Owner, billable: boolean): Tally {
    let tallies = this.#tallies.get(subject)
    if (tallies === undefined) this.#tallies.set(subject, (tallies = []))
    let tally = tallies.at(-1)
    if (tally?.owner !== owner || tally.billable !== billable) {
      tally = { subject, owner, billable, readings: 0, values: 0, payloadBytes: 0 }
      tallies.push(tally)
    }
    return tally
  }
}

function incrementsOf(tally: Tally, day: string | null): Increment[] {
  const { subject, owner, billable } = tally
  const whose = { subject, owner, billable }
  const increments: Increment[] = [
    { meter: 'sensor.readings', ...whose, by: BigInt(tally.readings) },
    { meter: 'sensor.values', ...whose, by: BigInt(tally.values) },
    { meter: 'sensor.payload_bytes', ...whose, by: BigInt(tally.payloadBytes) },
  ]
  if (tally.readings > 0 && day !== null) {
    increments.push({ meter: 'sensor.active_day', ...whose, by: 1n, day })
  }
  return increments
}
