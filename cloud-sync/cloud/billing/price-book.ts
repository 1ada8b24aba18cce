import { z } from 'zod'
import { OrgId } from '../../contract/index.ts'
import { Day } from './calendar.ts'
import { BillingError } from './errors.ts'
import { groupBy } from './group.ts'
import { RateCard } from './rate-card.ts'
import { tierWarnings } from './tiers.ts'

const CARDS_MAX = 1_000
const ASSIGNMENTS_MAX = 100_000
const ISSUES_SHOWN_MAX = 20

/** From `from` on, the organisation pays by `card`, until its next assignment. */
const Assignment = z.strictObject({ org: OrgId, card: z.string().max(64), from: Day })

const Prices = z
  .strictObject({
    version: z.string().max(64),
    cards: z.array(RateCard).max(CARDS_MAX),
    assignments: z.array(Assignment).max(ASSIGNMENTS_MAX),
  })
  .superRefine(({ cards, assignments }, context) => {
    const fault = (path: (string | number)[], message: string): void => {
      context.addIssue({ code: 'custom', path, message })
    }
    const byId = new Map(cards.map((card) => [card.id, card]))
    for (const [index, { id }] of cards.entries()) {
      if (cards.findIndex((card) => card.id === id) !== index)
        fault(['cards', index], `card ${id} is there twice`)
    }
    const starts = new Set<string>()
    const moneyOf = new Map<OrgId, string>()
    for (const [index, { org, card: id, from }] of assignments.entries()) {
      const path = ['assignments', index]
      if (starts.has(`${org} ${from}`)) fault(path, `overlap: ${org} has two cards from ${from} on`)
      starts.add(`${org} ${from}`)
      const card = byId.get(id)
      if (card === undefined) {
        fault(path, `there is no card ${id}`)
        continue
      }
      const money = `${card.currency} with ${card.minorDigits} places`
      const before = moneyOf.get(org) ?? money
      // A correction of a closed month must be in the money of that month.
      if (before !== money) fault(path, `${org} pays in ${before}; card ${id} is in ${money}`)
      moneyOf.set(org, before)
    }
  })

/** Rate cards and who pays by which from when; immutable, one version after another. */
export interface PriceBook {
  readonly version: string
  /** What is allowed and rarely meant, one sentence each. */
  readonly warnings: readonly string[]
  /** The card by which an organisation pays for a day; undefined before its first. */
  readonly cardOn: (org: OrgId, day: Day) => RateCard | undefined
  /** Days on which an organisation's card begins, in order. */
  readonly changesOf: (org: OrgId) => readonly Day[]
  /** Organisations that have a card, by name. */
  readonly organisations: readonly OrgId[]
}

/** Reads a price book from data. @throws BillingError BILLING_PRICES_INVALID naming every fault with its place. */
export function parsePriceBook(data: unknown): PriceBook {
  const parsed = Prices.safeParse(data)
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
    throw new BillingError('BILLING_PRICES_INVALID', faults.slice(0, ISSUES_SHOWN_MAX).join('; '))
  }
  const { version, cards, assignments } = parsed.data
  const byId = new Map(cards.map((card) => [card.id, card]))
  const ofOrg = groupBy(assignments, ({ org }) => org)
  for (const dated of ofOrg.values()) dated.sort((a, b) => (a.from < b.from ? -1 : 1))
  const warnings = cards.flatMap(({ id, sensorDays }) =>
    sensorDays === undefined ? [] : tierWarnings(sensorDays).map((warning) => `card ${id}: ${warning}`),
  )
  return {
    version,
    warnings,
    cardOn: (org, day) => byId.get(ofOrg.get(org)?.findLast(({ from }) => from <= day)?.card ?? ''),
    changesOf: (org) => (ofOrg.get(org) ?? []).map(({ from }) => from),
    organisations: [...ofOrg.keys()].sort(),
  }
}
