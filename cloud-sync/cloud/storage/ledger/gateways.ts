import type { GatewayId } from '../../../contract/index.ts'
import { insertAll } from '../relational/index.ts'
import type { Db } from './open.ts'
import { LEDGER_TABLES } from './tables.ts'

/** What a gateway last said about itself. */
export interface GatewayReport {
  readonly gateway: GatewayId
  readonly online: boolean
  readonly bootId: string | null
  readonly sw: string | null
  /** Policy version in force there. */
  readonly policy: number
  /** Generation that `policy` is counted in. */
  readonly policyGeneration: number
  readonly lastSeenAt: number
}

/** What is not given stays as it was. */
export async function saveReport(
  db: Db,
  report: Pick<GatewayReport, 'gateway' | 'lastSeenAt'> & Partial<GatewayReport>,
): Promise<void> {
  const changed = {
    last_seen_at: report.lastSeenAt,
    ...(report.online === undefined ? {} : { online: report.online ? 1 : 0 }),
    ...(report.bootId === undefined ? {} : { boot_id: report.bootId }),
    ...(report.sw === undefined ? {} : { sw: report.sw }),
    ...(report.policy === undefined ? {} : { policy: report.policy }),
    ...(report.policyGeneration === undefined ? {} : { policy_generation: report.policyGeneration }),
  }
  await db
    .insertInto('gateway_state')
    .values({
      gateway: report.gateway,
      online: 0,
      boot_id: null,
      sw: null,
      policy: 0,
      policy_generation: 1,
      ...changed,
    })
    .onConflict((c) => c.column('gateway').doUpdateSet(changed))
    .execute()
}

/** Each of them has just said something; in the order of their names, because each row is locked from here on. */
export async function noteSeen(db: Db, sorted: readonly GatewayId[], at: number): Promise<void> {
  const never = { online: 0, boot_id: null, sw: null, policy: 0, policy_generation: 1 }
  const rows = sorted.map((gateway) => ({ gateway, ...never, last_seen_at: at }))
  await insertAll(db, SEEN, rows)
}

const SEEN = {
  into: 'gateway_state',
  table: LEDGER_TABLES.gateway_state,
  then: 'on conflict (gateway) do update set last_seen_at = excluded.last_seen_at',
} as const

export async function findReport(db: Db, gateway: GatewayId): Promise<GatewayReport | undefined> {
  const row = await db
    .selectFrom('gateway_state')
    .selectAll()
    .where('gateway', '=', gateway)
    .executeTakeFirst()
  if (row === undefined) return undefined
  return {
    gateway,
    online: row.online === 1,
    bootId: row.boot_id,
    sw: row.sw,
    policy: row.policy,
    policyGeneration: row.policy_generation,
    lastSeenAt: row.last_seen_at,
  }
}

/** Every gateway that ever said something. */
export async function gatewaysSeen(db: Db): Promise<GatewayId[]> {
  const rows = await db.selectFrom('gateway_state').select('gateway').orderBy('gateway').execute()
  return rows.map(({ gateway }) => gateway as GatewayId)
}

/** At start nobody is known to be there, of those that this process hears. */
export async function markOffline(db: Db, gateways: readonly GatewayId[]): Promise<void> {
  for (let at = 0; at < gateways.length; at += MARKED_AT_ONCE) {
    const some = gateways.slice(at, at + MARKED_AT_ONCE)
    await db.updateTable('gateway_state').set({ online: 0 }).where('gateway', 'in', some).execute()
  }
}
/** Each is a parameter, and SQLite takes 32,766. */
const MARKED_AT_ONCE = 10_000
