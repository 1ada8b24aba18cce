import {
  type DayShare,
  type Epoch,
  type OrgId,
  shareOf,
  stretchesOverlap,
  type UsageRecord,
  WHOLE_RECORD,
} from '../contract/index.ts'
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

/** Which day a stretch of another record belongs to. */
export interface DayLabel {
  /** The record that gets it. */
  readonly epoch: Epoch
  readonly seq: number
  readonly day: string
  readonly share: DayShare
}

interface Undated {
  readonly org: OrgId
  readonly moved: readonly { readonly named: Named; readonly by: bigint }[]
}

/** Adds up what the records of one gateway moved, by day, register and payer. */
export class Sums {
  readonly #sums = new Map<string, bigint>()
  /** Records without a day, by epoch and number: a later record of the same organisation may give it one. */
  readonly #undated = new Map<string, Undated>()
  readonly #labels = new Map<string, DayLabel[]>()

  /**
   * Takes records in the order of their numbers, of each epoch after those of the one that it continues. Answers the day
   * that a record gives to a stretch of another one; undefined where it gives none, or where that has its day already: a
   * gateway that was set back tells its past again, and the first word counts.
   */
  add(record: UsageRecord, moved: readonly Movement[]): DayLabel | undefined {
    const { org, epoch, seq, time } = record
    const named = moved.map(({ register, by }) => ({ named: namedBy(record, register), by }))
    if (time.day === null) this.#undated.set(recordName(epoch, seq), { org, moved: named })
    else for (const { named: name, by } of named) this.#post(name, by)
    const label = labelBy(record)
    return label !== undefined && this.#isFree(org, label) ? label : undefined
  }

  /** By name. Days inclusive; what has no day is in only where the period is open on both sides. */
  within({ from, to }: EvidencePeriod): Map<string, bigint> {
    for (const [name, { moved }] of this.#undated) {
      for (const one of moved) this.#postByLabels(one, this.#labels.get(name) ?? [])
    }
    this.#undated.clear()
    const isOpen = from === null && to === null
    const isWithin = (day: string | null): boolean =>
      isOpen || (day !== null && (from === null || day >= from) && (to === null || day <= to))
    return new Map([...this.#sums].filter(([name, sum]) => sum !== 0n && isWithin(dayIn(name))))
  }

  #isFree(org: OrgId, label: DayLabel): boolean {
    const name = recordName(label.epoch, label.seq)
    const before = this.#labels.get(name) ?? []
    if (this.#undated.get(name)?.org !== org) return false
    if (before.some(({ share }) => stretchesOverlap(share, label.share))) return false
    this.#labels.set(name, [...before, label])
    return true
  }

  /** What no label covers stays without a day. */
  #postByLabels({ named, by }: Undated['moved'][number], labels: readonly DayLabel[]): void {
    let left = by
    for (const { day, share } of labels) {
      const part = shareOf(by, share)
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

function labelBy({ kind, epoch, corrects, time, share = WHOLE_RECORD }: UsageRecord): DayLabel | undefined {
  const { day } = time
  if (kind !== 'day_assign' || corrects === null || day === null) return undefined
  return { epoch: share.epoch ?? epoch, seq: corrects, day, share }
}

function namedBy({ org, time, src }: UsageRecord, register: Movement['register']): Named {
  const { subject, meter, custodian, workspace, billable } = register
  return { org, day: time.day, subject, meter, custodian, workspace, billable, network: src?.mccmnc ?? null }
}
