import type { OrgId } from '../../contract/index.ts'
import { largestRemainder } from './allocate.ts'
import type { Amount } from './amount.ts'
import { type Day, daysOf, type Period } from './calendar.ts'
import { type DayFact, inOrder, resourceOf, sensorDays } from './day-facts.ts'
import type { PriceBook } from './price-book.ts'
import { type CellularZone, type RateCard, zoneOf } from './rate-card.ts'
import { dayPrice } from './tiers.ts'

export const SERVICES = ['sensor-days', 'cellular', 'fees'] as const
export type Service = (typeof SERVICES)[number]

/** What one sensor, link or fee costs for one day: the smallest thing that has a price, exact. */
export interface Charge {
  readonly day: Day
  readonly service: Service
  /** The zone of cellular traffic, the id of a fee, else `sensor-day`. */
  readonly sku: string
  readonly card: string
  readonly gateway: string | null
  readonly subject: string | null
  readonly custodian: string | null
  readonly workspace: string | null
  /** Sensor-days, bytes or days of a fee that were used. */
  readonly consumed: bigint
  /** Those that are paid for: bytes less the included ones. */
  readonly charged: bigint
  /** Of a sensor-day, a megabyte (10^6 bytes) or a day of the fee; null where a correction has no single one. */
  readonly unitPrice: Amount | null
  readonly amount: Amount
}

export interface Rated {
  /** In one order, whatever the order of the facts. */
  readonly charges: readonly Charge[]
  /** Billable usage of days on which the organisation had no rate card: shown, never forgotten. */
  readonly unpriced: readonly DayFact[]
}

const MEGABYTE = 1_000_000n

/**
 * Prices all that an organisation used in one month, as if nothing had been booked yet. A function of the set of
 * facts: order and place do not count. No fee is due after `lastDay`, on which the organisation ended. Facts of other organisations, months and meters that have no price are passed
 * over.
 */
export function rate(given: {
  org: OrgId
  period: Period
  facts: readonly DayFact[]
  prices: PriceBook
  lastDay?: Day | null
}): Rated {
  const { org, period, prices, lastDay = null } = given
  const facts = given.facts.filter((fact) => fact.org === org && fact.billable && fact.day.startsWith(period))
  const cardOf = new Map(daysOf(period).map((day) => [day, prices.cardOn(org, day)]))
  const priced = { period, cardOf }
  return {
    charges: [
      chargesOfSensors(facts, cardOf),
      [...chargesOfLinks(facts, priced)],
      [...chargesOfFees(priced)].filter(({ day }) => lastDay === null || day <= lastDay),
    ].flat(),
    unpriced: facts.filter(
      ({ day, meter, quantity }) => PRICED.has(meter) && quantity > 0n && cardOf.get(day) === undefined,
    ),
  }
}

const PRICED: ReadonlySet<string> = new Set(['sensor.active_day', 'cell.alloc'])

type Cards = ReadonlyMap<Day, RateCard | undefined>
interface Month {
  readonly period: Period
  readonly cardOf: Cards
}

/** Each day by itself: its price split evenly over its sensors, what 10^-12 leaves over to the first by name. */
function chargesOfSensors(facts: readonly DayFact[], cardOf: Cards): Charge[] {
  const charges: Charge[] = []
  for (const [day, sensors] of sensorDays(facts)) {
    const card = cardOf.get(day)
    if (card?.sensorDays === undefined) continue
    const count = BigInt(sensors.length)
    const price = dayPrice(card.sensorDays, count)
    const share = price / count
    const more = share + 1n
    const odd = Number(price % count)
    for (const [index, { gateway, subject, custodian, workspace }] of sensors.entries()) {
      const amount = index < odd ? more : share
      // No spreads: a large organisation has a third of a million of these.
      charges.push({
        day,
        service: 'sensor-days',
        sku: 'sensor-day',
        card: card.id,
        gateway,
        subject,
        custodian,
        workspace,
        consumed: 1n,
        charged: 1n,
        unitPrice: amount,
        amount,
      })
    }
  }
  return charges
}

/** The bytes of a month that share one price and what is included in it. */
interface Pool {
  readonly card: string
  readonly zone: CellularZone
  readonly cells: Map<string, DayFact>
}

/** A month's bytes by zone; those included are taken from every link and day in proportion to its bytes. */
function* chargesOfLinks(facts: readonly DayFact[], { cardOf, period }: Month): Generator<Charge> {
  const month = BigInt(daysOf(period).length)
  for (const { card, zone, cells } of poolsOf(facts, cardOf)) {
    const days = [...cardOf.values()].filter((one) => one?.id === card).length
    const included = (zone.includedBytes * BigInt(days)) / month
    yield* chargesOfPool({ card, zone, included }, cells)
  }
}

function poolsOf(facts: readonly DayFact[], cardOf: Cards): Pool[] {
  const pools = new Map<string, Pool>()
  for (const fact of facts) {
    const card = cardOf.get(fact.day)
    if (fact.meter !== 'cell.alloc' || fact.quantity <= 0n || card?.cellular === undefined) continue
    const zone = zoneOf(card.cellular, fact.network)
    if (zone === undefined) continue
    const name = `${card.id} ${zone.zone}`
    const { cells } = pools.get(name) ?? { cells: new Map<string, DayFact>() }
    pools.set(name, { card: card.id, zone, cells })
    const cell = cellOf(fact)
    cells.set(cell, { ...fact, quantity: (cells.get(cell)?.quantity ?? 0n) + fact.quantity })
  }
  return [...pools].sort(([a], [b]) => inOrder(a, b)).map(([, pool]) => pool)
}

const cellOf = (fact: DayFact): string =>
  `${fact.day} ${resourceOf(fact)} ${fact.custodian ?? '~'} ${fact.workspace ?? '~'}`

function* chargesOfPool(
  { card, zone, included }: { card: string; zone: CellularZone; included: bigint },
  cells: ReadonlyMap<string, DayFact>,
): Generator<Charge> {
  const facts = [...cells].sort(([a], [b]) => inOrder(a, b)).map(([, fact]) => fact)
  const bytes = facts.map(({ quantity }) => quantity)
  const all = bytes.reduce((sum, count) => sum + count, 0n)
  const free = largestRemainder(included < all ? included : all, bytes)
  for (const [index, { day, gateway, subject, custodian, workspace, quantity }] of facts.entries()) {
    const charged = quantity - (free[index] ?? 0n)
    const of = { day, service: 'cellular' as const, sku: zone.zone, card }
    const unitPrice = zone.perMegabyte
    // Exact: a price per megabyte is a multiple of 10^6 (rate-card.ts).
    const amount = (charged * unitPrice) / MEGABYTE
    yield { ...of, gateway, subject, custodian, workspace, consumed: quantity, charged, unitPrice, amount }
  }
}

/** A monthly fee by whole days: the days of a full month add up to the fee exactly. */
function* chargesOfFees({ period, cardOf }: Month): Generator<Charge> {
  const days = daysOf(period)
  const even = days.map(() => 1n)
  for (const [index, day] of days.entries()) {
    const card = cardOf.get(day)
    for (const { id, perMonth } of card?.fees ?? []) {
      const amount = largestRemainder(perMonth, even)[index] ?? 0n
      const nobody = { gateway: null, subject: null, custodian: null, workspace: null }
      const counts = { consumed: 1n, charged: 1n, unitPrice: amount, amount }
      yield { day, service: 'fees', sku: id, card: card?.id ?? '', ...nobody, ...counts }
    }
  }
}
