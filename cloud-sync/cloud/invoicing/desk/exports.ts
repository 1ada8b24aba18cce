import { z } from 'zod'
import { GatewayId, OrgId } from '../../../contract/index.ts'
import {
  cloudEventOf,
  Day,
  daysOf,
  focusCsv,
  type LedgerRecord,
  meterEventOf,
  meterTimestamp,
  statementCsv,
} from '../../billing/index.ts'
import type { BillingRow } from '../../storage/index.ts'
import { refuse } from '../errors.ts'
import { decideEvent, plannedEvents, recordEvents, sendEvents } from '../payments/meter-events.ts'
import { customerOf } from '../payments/methods.ts'
import { lateSince } from '../terms.ts'
import { type AtDesk, matter } from './desk.ts'
import { monthAsked, OfMonth, statementFor } from './views.ts'

const joined = (texts: Iterable<string>): string => [...texts].join('')

const exported = (run: (at: AtDesk, asked: OfMonth) => Promise<string>) =>
  matter({ right: 'billing.read', isUsage: true, input: OfMonth, run })

/** A row for each cell; read again it is the ledger. */
export const csv = exported(async (at, { period }) =>
  joined(statementCsv((await statementFor(at, period)).statement)),
)

export const focus = exported(async (at, { period }) => {
  const { statement } = await statementFor(at, period)
  return joined(focusCsv(statement, { issuer: at.world.issuer.name }))
})

/** CloudEvents in HTTP's batched mode (HTTP binding 1.0, 3.3): one event for each posted record. */
export const cloudEvents = exported(async (at, { period }) =>
  JSON.stringify((await recordsOf(at, period)).map(cloudEventOf)),
)

/** As Stripe's API takes them: what the closing of a month makes known, the same under the same identifiers each time. */
export const meterEvents = exported(async (at, { period: asked }) => {
  const { world, org, now } = at
  const period = await monthAsked(at, asked)
  const { read } = world.store
  const made = await read.find('meter_event', { org, period }, { orderBy: ['identifier'] })
  const deltas = made.length === 0 ? await plannedEvents(world, org, period) : made
  const known = await read.get('provider_customer', { provider: 'stripe', org })
  const customer = known?.customer ?? org
  const events = deltas
    .map((delta) => ({ ...delta, value: BigInt(delta.value), timestamp: timestampOf(delta, now) }))
    .filter(({ value }) => value > 0n)
    .map((delta) => meterEventOf(delta, { customer, timestamp: delta.timestamp }))
  return JSON.stringify(events)
})

const timestampOf = (delta: { readonly day: string; readonly timestamp?: number | null }, now: number) =>
  delta.timestamp ?? meterTimestamp(delta.day, now)

/** Its own usage, provable by itself; `headgate ledger verify` checks it. Of others' records it has the hashes alone. */
export const evidence = matter({
  right: 'billing.read',
  isUsage: true,
  input: z.strictObject({
    org: OrgId,
    gateway: GatewayId.optional().describe('only this one'),
    from: Day.optional().describe('first day of the sums'),
    to: Day.optional().describe('last day of the sums'),
  }),
  async run({ world, org }, { gateway, from = null, to = null }) {
    const known = await world.directory.presenceOf(org)
    const gateways = gateway === undefined ? known : known.filter((id) => id === gateway)
    // One of others is none at all.
    if (gateway !== undefined && gateways.length === 0)
      refuse('INVOICING_NOT_FOUND', `${org} never had anything on a gateway ${gateway}`)
    const only = gateway === undefined ? null : [gateway]
    return world.evidence({ org, only, gateways, period: { from, to } })
  },
})

/** Hands over what the closing of a month makes known, and whatever still waits; nothing twice (I23). */
export const sendMeterEvents = matter({
  right: 'operator',
  isUsage: true,
  input: OfMonth.required(),
  async run({ world, org, organisation }, { period }) {
    if ((await world.store.read.get('rating_run', { org, period })) === undefined)
      refuse('INVOICING_MONTH_NOT_CLOSED', `${period} is not closed`)
    // Who has no provider is told so before anything is written.
    await customerOf(world, organisation)
    await recordEvents(world, org, period)
    const fresh = await sendEvents(world, organisation)
    const rows = await world.store.read.find('meter_event', { org })
    const events = rows.filter((row) => row.period === period && row.state !== 'carried').length
    return { events, fresh, unsure: rows.filter(({ state }) => state === 'unsure').length }
  },
})

/** Every event that was written down for a month, and how it stands. */
export const listMeterEvents = matter({
  right: 'operator',
  isUsage: true,
  input: OfMonth.required(),
  async run({ world, org }, { period }) {
    const rows = await world.store.read.find('meter_event', { org, period }, { orderBy: ['identifier'] })
    return rows.map(meterEventShown)
  },
})

/** The operator has looked what the provider has of an event of which nobody knew. */
export const decideMeterEvent = matter({
  right: 'operator',
  isUsage: true,
  input: z.strictObject({
    org: OrgId,
    identifier: z.string().min(1).max(100),
    isThere: z.boolean().describe('the provider has it'),
  }),
  async run({ world }, asked) {
    const row = await decideEvent(world, asked)
    if (row === undefined)
      return refuse('INVOICING_NOT_FOUND', `there is no unsure event ${asked.identifier}`)
    return meterEventShown(row)
  },
})

const meterEventShown = (row: BillingRow<'meter_event'>) => ({
  ...{ identifier: row.identifier, day: row.day, meter: row.meter, counted: row.counted, value: row.value },
  ...{ state: row.state, triedAt: row.tried_at },
})

/** What a statement is made of: the records of its days, and of earlier ones what came too late for theirs. */
async function recordsOf(at: AtDesk, asked: string | undefined): Promise<readonly LedgerRecord[]> {
  const { world, org, now } = at
  const period = await monthAsked(at, asked)
  const days = daysOf(period)
  const run = await world.store.read.get('rating_run', { org, period })
  return world.usage.recordsOf(org, {
    from: days.at(0) ?? '',
    to: days.at(-1) ?? '',
    postedBefore: run?.cutoff,
    decidedBefore: run?.made_at ?? now,
    late: await lateSince(world.store.read, org, period),
  })
}
