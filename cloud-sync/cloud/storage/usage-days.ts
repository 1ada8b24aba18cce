import { sql } from 'kysely'
import type { Epoch, GatewayId, Meter, OrgId } from '../../contract/index.ts'
import type { Db } from './database.ts'

/** Whose usage, of which days, and what the ledger had of it before a moment (epoch ms). */
export interface DaysAsked {
  readonly org: OrgId
  /** Nobody is billed for what a stranger's gateway says. */
  readonly gateways: readonly GatewayId[]
  readonly from: string
  readonly to: string
  readonly meters: readonly Meter[]
  readonly receivedBefore: number
}

/** A day as the gateway stamped it, or as a later record said; no day before that one had come too. */
const DAY = sql<string | null>`coalesce(p.day, a.day)`
const KNOWN_AT = sql<number>`max(r.received_at, coalesce(n.received_at, 0))`

function postings(db: Db) {
  return db
    .selectFrom('usage_posting as p')
    .innerJoin('usage_record as r', (join) =>
      join.onRef('r.gateway', '=', 'p.gateway').onRef('r.epoch', '=', 'p.epoch').onRef('r.seq', '=', 'p.seq'),
    )
    .leftJoin('usage_day_assign as a', (join) =>
      join
        .onRef('a.gateway', '=', 'p.gateway')
        .onRef('a.epoch', '=', 'p.epoch')
        .onRef('a.corrects', '=', 'p.seq'),
    )
    .leftJoin('usage_record as n', (join) =>
      join.onRef('n.gateway', '=', 'a.gateway').onRef('n.epoch', '=', 'a.epoch').onRef('n.seq', '=', 'a.seq'),
    )
}

/** Sums of postings by day, meter, subject and payer. */
export async function dayFacts(db: Db, asked: DaysAsked) {
  if (asked.gateways.length === 0) return []
  const place = ['p.gateway', 'p.subject', 'p.meter', 'p.custodian', 'p.workspace', 'p.billable'] as const
  const rows = await postings(db)
    .where('p.org', '=', asked.org)
    .where('p.gateway', 'in', asked.gateways)
    .where('p.meter', 'in', asked.meters)
    .where(DAY, '>=', asked.from)
    .where(DAY, '<=', asked.to)
    .where(KNOWN_AT, '<', asked.receivedBefore)
    .select([DAY.as('day'), ...place, sql<string>`cast(sum(p.quantity) as text)`.as('quantity')])
    .groupBy([DAY, ...place])
    .execute()
  return rows.map((row) => ({
    ...row,
    org: asked.org,
    day: row.day ?? '',
    meter: row.meter as Meter,
    billable: row.billable === 1,
    quantity: BigInt(row.quantity),
    network: null as string | null,
  }))
}

/** Months of which something became known from `from` on and before `before`, in order. */
export async function monthsWithNews(
  db: Db,
  asked: Pick<DaysAsked, 'org' | 'gateways' | 'meters'> & {
    readonly known: { from: number; before: number }
  },
): Promise<string[]> {
  if (asked.gateways.length === 0) return []
  const month = sql<string>`substr(${DAY}, 1, 7)`
  const rows = await postings(db)
    .where('p.org', '=', asked.org)
    .where('p.gateway', 'in', asked.gateways)
    .where('p.meter', 'in', asked.meters)
    .where(DAY, 'is not', null)
    .where(KNOWN_AT, '>=', asked.known.from)
    .where(KNOWN_AT, '<', asked.known.before)
    .select(month.as('month'))
    .distinct()
    .execute()
  return rows.map((row) => row.month).sort()
}

/** When the last posted record of each gateway ended, epoch ms by its clock. */
export async function reportedUntil(db: Db, gateways: readonly GatewayId[]): Promise<Map<string, number>> {
  if (gateways.length === 0) return new Map()
  const rows = await db
    .selectFrom('usage_record')
    .where('gateway', 'in', gateways)
    .select(({ fn }) => ['gateway', fn.max('wall_end').as('until')])
    .groupBy('gateway')
    .execute()
  return new Map(rows.map(({ gateway, until }) => [gateway, until]))
}

/** Every posting of some days with what its record says, in the order in which records came. */
export async function postedDays(db: Db, asked: DaysAsked) {
  if (asked.gateways.length === 0) return []
  const rows = await postings(db)
    .where('p.org', '=', asked.org)
    .where('p.gateway', 'in', asked.gateways)
    .where('p.meter', 'in', asked.meters)
    .where(DAY, '>=', asked.from)
    .where(DAY, '<=', asked.to)
    .where(KNOWN_AT, '<', asked.receivedBefore)
    .select(['p.gateway', 'p.epoch', 'p.seq', 'r.wall_end', 'r.received_at', DAY.as('day')])
    .select(['p.meter', 'p.subject', 'p.custodian', 'p.workspace', 'p.billable'])
    .select(sql<string>`cast(p.quantity as text)`.as('quantity'))
    .orderBy('r.received_at')
    .orderBy('p.gateway')
    .orderBy('p.epoch')
    .orderBy('p.seq')
    .orderBy('p.meter')
    .orderBy('p.subject')
    .execute()
  return rows.map((row) => ({
    ...row,
    gateway: row.gateway as GatewayId,
    epoch: row.epoch as Epoch,
    meter: row.meter as Meter,
    billable: row.billable === 1,
    quantity: BigInt(row.quantity),
  }))
}
