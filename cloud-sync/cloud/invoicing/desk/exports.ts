import { z } from 'zod'
import { GatewayId, OrgId } from '../../../contract/index.ts'
import {
  cloudEventOf,
  Day,
  dayAt,
  focusCsv,
  type LedgerRecord,
  statementCsv,
  type StripeMeterEvent,
  stripeMeterEvents,
} from '../../billing/index.ts'
import { refuse } from '../errors.ts'
import { customerOf } from '../payments/methods.ts'
import { type AtDesk, matter } from './desk.ts'
import { OfMonth, statementFor } from './views.ts'

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

/** As Stripe's API takes them. */
export const meterEvents = exported(async (at, { period }) => JSON.stringify(await meterEventsOf(at, period)))

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
    return world.evidence({ org, gateways, period: { from, to } })
  },
})

/** Hands them over; those that were there already are no fault (I23). */
export const sendMeterEvents = matter({
  right: 'operator',
  isUsage: true,
  input: OfMonth.required(),
  async run(at, { period }) {
    const events = await meterEventsOf(at, period, await customerOf(at.world, at.organisation))
    return { events: events.length, fresh: await at.world.provider.meter(events) }
  },
})

async function recordsOf(at: AtDesk, asked: string | undefined): Promise<readonly LedgerRecord[]> {
  const { statement } = await statementFor(at, asked)
  const { zone, from, to } = statement
  const run = await at.world.store.read.get('rating_run', { org: at.org, period: statement.period })
  return at.world.usage.recordsOf(at.org, {
    from: dayAt(from, zone),
    to: dayAt(to - 1, zone),
    postedBefore: run?.cutoff,
  })
}

async function meterEventsOf(
  at: AtDesk,
  period: string | undefined,
  known?: string,
): Promise<StripeMeterEvent[]> {
  const { world, org, now } = at
  const row = await world.store.read.get('provider_customer', { provider: 'stripe', org })
  const customer = known ?? row?.customer ?? org
  return (await recordsOf(at, period)).flatMap((record) =>
    stripeMeterEvents(record, {
      customer,
      now,
      adjustment: `late:${record.gateway}:${record.epoch}:${record.seq}`,
    }),
  )
}
