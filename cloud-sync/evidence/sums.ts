import { type DayShare, type Epoch, shareOf, type UsageRecord } from '../contract/index.ts'
import type { EvidenceFact, EvidencePeriod } from './lines.ts'
import type { Movement } from './registers.ts'

type Named = Omit<EvidenceFact, 'quantity'>

/** The name of a sum: everything but its quantity. */
export const factName = (fact: Named): string =>
  JSON.stringify([
    fact.org,
    fact.day,
    fact.subject,
    fact.meter,
    fact.custodian,
    fact.workspace,
    fact.billable,
    fact.network,
  ])

/** Which day a stretch of an undated record belongs to; the whole where no share is named. */
interface Label {
  readonly day: string
  readonly share: DayShare | undefined
}

/** Adds up what the records of one gateway moved, by day, register and payer. */
export class Sums {
  readonly #sums = new Map<string, bigint>()
  /** Of records without a day, by epoch and number: a later record may give it one. */
  readonly #undated = new Map<string, { named: Named; by: bigint }[]>()
  readonly #labels = new Map<string, Label[]>()

  add(record: UsageRecord, moved: readonly Movement[]): void {
    const { day } = record.time
    if (record.kind === 'day_assign' && record.corrects !== null && day !== null) {
      const { epoch, corrects, share } = record
      this.#label(recordName(share?.epoch ?? epoch, corrects), { day, share })
    }
    const named = moved.map(({ register, by }) => ({ named: namedBy(record, register), by }))
    if (day === null && named.length > 0) this.#undated.set(recordName(record.epoch, record.seq), named)
    else for (const { named: name, by } of named) this.#post(name, by)
  }

  /** By name. Days inclusive; what has no day is in only where the period is open on both sides. */
  within({ from, to }: EvidencePeriod): Map<string, bigint> {
    for (const [name, moved] of this.#undated) {
      for (const one of moved) this.#postByLabels(one, this.#labels.get(name) ?? [])
    }
    this.#undated.clear()
    const isOpen = from === null && to === null
    const isWithin = (day: string | null): boolean =>
      isOpen || (day !== null && (from === null || day >= from) && (to === null || day <= to))
    return new Map([...this.#sums].filter(([name, sum]) => sum !== 0n && isWithin(dayIn(name))))
  }

  #label(name: string, label: Label): void {
    this.#labels.set(name, [...(this.#labels.get(name) ?? []), label])
  }

  /** What no label covers stays without a day. */
  #postByLabels({ named, by }: { named: Named; by: bigint }, labels: readonly Label[]): void {
    let left = by
    for (const { day, share } of labels) {
      const part = share === undefined ? by : shareOf(by, share)
      this.#post({ ...named, day }, part)
      left -= part
    }
    this.#post(named, left)
  }

  #post(named: Named, by: bigint): void {
    const name = factName(named)
    this.#sums.set(name, (this.#sums.get(name) ?? 0n) + by)
  }
}

const recordName = (epoch: Epoch, seq: number): string => `${epoch} ${seq}`
const dayIn = (name: string): string | null => (JSON.parse(name) as (string | null)[])[1] ?? null

function namedBy({ org, time, src }: UsageRecord, register: Movement['register']): Named {
  const { subject, meter, custodian, workspace, billable } = register
  return { org, day: time.day, subject, meter, custodian, workspace, billable, network: src?.mccmnc ?? null }
}
