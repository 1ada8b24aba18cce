import { z } from 'zod'
import { OrgId, WorkspaceId } from '../../../contract/index.ts'
import {
  byDay,
  bySensor,
  byUser,
  byWorkspace,
  cellularByGateway,
  cellularByUser,
  dayAt,
  daysOf,
  Period,
  periodOf,
  phaseOf,
  type Statement,
} from '../../billing/index.ts'
import { nextPeriod, rateMonth } from '../closing.ts'
import { refuse } from '../errors.ts'
import { bookedStatement } from '../statements.ts'
import { termsOf } from '../terms.ts'
import { type AtDesk, matter } from './desk.ts'
import { costShown, outlookShown, statementShown } from './shown.ts'

export const OfMonth = z.strictObject({
  org: OrgId,
  period: Period.optional().describe('a month such as 2026-07; the present one where nothing is said'),
})
export type OfMonth = z.infer<typeof OfMonth>

/** The month that is meant: one that has begun, the present one where nothing is said. */
export async function monthAsked(
  { world, organisation, now }: Pick<AtDesk, 'world' | 'organisation' | 'now'>,
  asked: Period | undefined,
): Promise<Period> {
  const utc = periodOf(new Date(now).toISOString().slice(0, 10))
  const today = await termsOf(world.store.read, organisation, utc)
  const present = periodOf(dayAt(now, today.zone))
  if (asked !== undefined && asked > present) refuse('INVOICING_NOT_FOUND', `${asked} has not begun`)
  return asked ?? present
}

/** The statement of a month: as it was made, or of what is known now. */
export async function statementFor(
  { world, books, org, organisation, now }: AtDesk,
  asked: string | undefined,
): Promise<{ statement: Statement; state: 'open' | 'grace' | 'due' | 'closed' }> {
  const { read } = world.store
  const period = await monthAsked({ world, organisation, now }, asked)
  const booked = await bookedStatement(read, org, period)
  if (booked !== undefined) return { statement: booked, state: 'closed' }
  const { zone, graceDays } = await termsOf(read, organisation, period)
  const prices = await books.current(read)
  const corrects = (await nextPeriod(world, books, org)) === period
  const statement = await rateMonth(world, { org, period, zone, prices, corrects })
  return { statement, state: phaseOf(period, { zone, graceDays, now }) }
}

const seen = async (at: AtDesk, { period }: OfMonth): Promise<Statement> =>
  (await statementFor(at, period)).statement

const view = <R>(run: (at: AtDesk, statement: Statement) => R | Promise<R>) =>
  matter({
    right: 'billing.read',
    isUsage: true,
    input: OfMonth,
    run: async (at, asked) => run(at, await seen(at, asked)),
  })

export const statement = matter({
  right: 'billing.read',
  isUsage: true,
  input: OfMonth,
  async run(at, { period }) {
    const { statement: made, state } = await statementFor(at, period)
    const invoice = await at.world.store.read.get('invoice', { org: at.org, period: made.period })
    return statementShown(made, state, invoice?.number ?? null)
  },
})

/** S0.31 */
export const sensors = view((_, made) =>
  bySensor(made).map(({ gateway, subject, ...cost }) => ({ gateway, subject, ...costShown(cost, made) })),
)

/** S0.32: a member who left is shown as a former one. */
export const users = view(async ({ world, org }, made) =>
  byUser(made, await world.directory.membersOf(org)).map(({ custodian, former, resources, ...cost }) => ({
    ...{ user: custodian, former, resources },
    ...costShown(cost, made),
  })),
)

/** S0.33: with the way to the next bulk discount. */
export const days = view(async ({ world, books }, made) =>
  byDay(made, await books.current(world.store.read)).map(({ day, outlook, ...cost }) => ({
    ...{ day, ...costShown(cost, made) },
    outlook: outlookShown(outlook),
  })),
)

/** S0.34 */
export const cellularGateways = view((_, made) =>
  cellularByGateway(made).map(({ gateway, ...cost }) => ({ gateway, ...costShown(cost, made) })),
)

/** S0.34: by the member who looks after the gateway today. */
export const cellularUsers = view(async ({ world, org }, made) => {
  const gateways: ReadonlyMap<string, string | null> = await world.directory.gatewaysOf(org)
  const members = await world.directory.membersOf(org)
  const ownerOf = (gateway: string): string | null => gateways.get(gateway) ?? null
  return cellularByUser(made, { ownerOf, members }).map(({ custodian, former, resources, ...cost }) => ({
    ...{ user: custodian, former, resources },
    ...costShown(cost, made),
  }))
})

/** S3.5 */
export const workspaces = view((_, made) =>
  byWorkspace(made).map(({ workspace, service, ...cost }) => ({
    workspace,
    service,
    ...costShown(cost, made),
  })),
)

/** S1.13: what a workspace had this month, as its usage tells. */
export const workspaceUsage = matter({
  right: 'usage.read',
  isUsage: true,
  input: OfMonth.extend({ workspace: WorkspaceId }),
  async run({ world, org, now }, { workspace, period = new Date(now).toISOString().slice(0, 7) }) {
    const all = daysOf(period)
    const span = { from: all.at(0) ?? '', to: all.at(-1) ?? '' }
    const facts = (await world.usage.factsOf(org, span)).filter((fact) => fact.workspace === workspace)
    const subjects = (kind: string): number =>
      new Set(
        facts
          .filter(({ subject }) => subject.startsWith(kind))
          .map(({ gateway, subject }) => `${gateway} ${subject}`),
      ).size
    return {
      ...{ workspace: workspace, period },
      sensors: subjects('sensor:'),
      sims: new Set(facts.flatMap(({ subject }) => (subject.startsWith('link:') ? [subject] : []))).size,
      gateways: new Set(facts.map(({ gateway }) => gateway)).size,
      users: new Set(facts.flatMap(({ custodian }) => custodian ?? [])).size,
    }
  },
})
