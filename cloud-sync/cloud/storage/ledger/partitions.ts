import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Dialect, Table } from '../relational/index.ts'
import type { LedgerSchema } from './tables.ts'

/** Tables that grow for ever: on PostgreSQL kept by month of receipt, each month by hash of the gateway. */
const PARTITIONED: ReadonlySet<string> = new Set(['usage_record', 'usage_posting', 'usage_batch'])
/** Parts of a month; a gateway is always in the same one. */
const PARTS = 4
/** One process makes partitions at a time (any constant number will do). */
const PARTITION_LOCK = 4_770_318

/** Month of a moment in UTC, as a number: 202611. */
export function monthOf(at: number): number {
  const date = new Date(at)
  return date.getUTCFullYear() * 100 + date.getUTCMonth() + 1
}

export const monthAfter = (month: number): number => (month % 100 === 12 ? month + 89 : month + 1)

/** Tables that SQLite keeps in the order of their key, and nowhere else. */
const BY_KEY: ReadonlySet<string> = new Set(['usage_posting', 'usage_register'])

const MOVING: ReadonlySet<string> = new Set(['usage_register', 'stream', 'gateway_state'])

/**
 * How a table is made: on PostgreSQL the large ones with the month in their key, because a unique key must hold the
 * columns that part it. A number is still posted once: the row of its stream is locked, and only counts up.
 */
export function madeAs(
  name: string,
  table: Table,
  dialect: Dialect,
): { table: Table; end?: RawBuilder<unknown> } {
  if (dialect === 'sqlite') return BY_KEY.has(name) ? { table, end: sql`without rowid` } : { table }
  // Registers move all the time: where a page has room for the next version of a row, its key is not written again.
  if (MOVING.has(name)) return { table, end: sql`with (fillfactor = 40)` }
  if (!PARTITIONED.has(name)) return { table }
  return { table: { ...table, key: [...table.key, 'month'] }, end: sql`partition by range (month)` }
}

/** Makes a month's partitions where they are missing, in a transaction of the caller's. PostgreSQL only. */
export async function makePartitions(db: Kysely<LedgerSchema>, month: number): Promise<void> {
  await sql`select pg_advisory_xact_lock(${PARTITION_LOCK})`.execute(db)
  for (const table of PARTITIONED) {
    const ofMonth = `${table}_${month}`
    const { rows } = await sql<{
      known: boolean
    }>`select to_regclass(${ofMonth}) is not null as known`.execute(db)
    if (rows[0]?.known === true) continue
    await sql`create table ${sql.table(ofMonth)} partition of ${sql.table(table)}
      for values from (${sql.lit(month)}) to (${sql.lit(month + 1)}) partition by hash (gateway)`.execute(db)
    for (let part = 0; part < PARTS; part += 1) {
      const name = `${ofMonth}_${part}`
      await sql`create table ${sql.table(name)} partition of ${sql.table(ofMonth)}
        for values with (modulus ${sql.lit(PARTS)}, remainder ${sql.lit(part)})`.execute(db)
      // Triggers of statements are not inherited.
      await sql`create trigger ${sql.id(`${name}_is_kept`)} before truncate on ${sql.table(name)}
        for each statement execute function ${sql.id(`${table}_is_append_only`)}()`.execute(db)
    }
  }
}
