import { z } from 'zod'
import { type Amount, parseAmount } from './amount.ts'
import { type SensorDayPlan as Plan, tierIssues } from './tiers.ts'

const MONEY_TEXT = 'a decimal text from 0 with at most 12 places, such as "0.80"'
/** A byte costs a millionth of this, so six places are all that 10^-12 can hold exactly. */
const MB_TEXT = 'a decimal text from 0 with at most 6 places, such as "0.1025"'
const MEGABYTE = 1_000_000n
const TIERS_MAX = 100
const ZONES_MAX = 100
const FEES_MAX = 100

const price = (text: string): Amount | undefined => {
  const amount = parseAmount(text)
  return amount === undefined || amount < 0n ? undefined : amount
}
const Price = z
  .string()
  .refine((text) => price(text) !== undefined, MONEY_TEXT)
  .transform((text) => price(text) ?? 0n)
const PricePerMegabyte = Price.refine((amount) => amount % MEGABYTE === 0n, MB_TEXT)
/** A count; as text where it is beyond 2^53. */
const Count = z.union([z.int().min(0), z.string().regex(/^\d{1,30}$/)]).transform((count) => BigInt(count))

const Name = z.string().regex(/^[a-z0-9][a-z0-9.-]{0,63}$/, 'lower case letters, digits, points and hyphens')

/** Sensors from `from` to `to` of a day, both included; `to` is null in the last tier. */
const Tier = z.strictObject({ from: Count, to: Count.nullable(), rate: Price, flat: Price.default(0n) })

/**
 * What the sensors of a day cost. `volume`: all of them at the rate of the tier that their number falls in.
 * `graduated`: each at the rate of its own place. `flat` is paid once a day for a tier that was reached. The first
 * `included` sensors of a day cost nothing.
 */
const SensorDays: z.ZodType<Plan> = z
  .strictObject({
    mode: z.enum(['volume', 'graduated']),
    tiers: z.array(Tier).min(1).max(TIERS_MAX),
    included: Count.default(0n),
  })
  .superRefine(({ tiers }, context) => {
    for (const { tier, message } of tierIssues(tiers)) {
      context.addIssue({ code: 'custom', path: ['tiers', tier], message })
    }
  })

/** Networks by the beginning of their MCC and MNC; the longest that fits decides, `*` is everywhere else. */
const CellularZone = z.strictObject({
  zone: Name,
  networks: z
    .array(z.string().regex(/^(\*|\d{3,6})$/, 'three to six digits of MCC and MNC, or *'))
    .min(1)
    .max(1_000),
  perMegabyte: PricePerMegabyte,
  includedBytes: Count.default(0n),
})
export type CellularZone = z.infer<typeof CellularZone>

const Zones = z
  .array(CellularZone)
  .min(1)
  .max(ZONES_MAX)
  .superRefine((zones, context) => {
    const named = new Set<string>()
    const fault = (message: string): void => {
      context.addIssue({ code: 'custom', message })
    }
    for (const { zone, networks } of zones) {
      if (named.has(`zone ${zone}`)) fault(`zone ${zone} is there twice`)
      named.add(`zone ${zone}`)
      for (const network of networks) {
        if (named.has(network)) fault(`network ${network} is in two zones`)
        named.add(network)
      }
    }
    if (!named.has('*')) fault('no zone has the network *, so traffic elsewhere would have no price')
  })

/** Paid by the organisation every month, for the days of the month on which the card applies. */
const Fee = z.strictObject({ id: Name, perMonth: Price })

/** Prices as data. A service that a card does not name is free of charge under it. */
export const RateCard = z
  .strictObject({
    id: Name,
    currency: z.string().regex(/^[A-Z]{3}$/, 'three letters as in ISO 4217'),
    /** Places of the currency's smallest coin: EUR 2, JPY 0, KWD 3. Said, because tables of it change. */
    minorDigits: z.int().min(0).max(4),
    sensorDays: SensorDays.optional(),
    cellular: Zones.optional(),
    fees: z.array(Fee).max(FEES_MAX).default([]),
  })
  .superRefine(({ fees }, context) => {
    const ids = fees.map(({ id }) => id)
    for (const [index, id] of ids.entries()) {
      if (ids.indexOf(id) !== index) {
        context.addIssue({ code: 'custom', path: ['fees', index], message: `fee ${id} is there twice` })
      }
    }
  })
export type RateCard = z.infer<typeof RateCard>

/** The zone of a network (MCC and MNC as digits); what is not known is elsewhere. */
export function zoneOf(zones: readonly CellularZone[], network: string | null): CellularZone | undefined {
  let found: CellularZone | undefined
  let length = -1
  for (const zone of zones) {
    for (const prefix of zone.networks) {
      const fits = prefix === '*' ? 0 : network?.startsWith(prefix) === true ? prefix.length : -1
      if (fits > length) [found, length] = [zone, fits]
    }
  }
  return found
}
