import { type Kysely, sql } from 'kysely'
import { SyncError } from '../../../contract/index.ts'
import type { Dialect } from './columns.ts'

/** One step of the schema; a released step is never changed. */
export type Migration = (db: Kysely<never>, dialect: Dialect) => Promise<void>

/** A set of tables that has a version of its own; several may share a database. */
export interface Schemas {
  /** What people call it; its version is in the table `NAME_version`. */
  readonly name: 'directory' | 'ledger' | 'billing'
  readonly migrations: readonly Migration[]
}

type Versions = Record<string, { version: number }>

/** PostgreSQL: one process migrates, the others wait (any constant number will do). */
const MIGRATION_LOCK = 4_770_317

/**
 * Brings the schema to the newest version in one transaction (both engines take back DDL). Throws CLOUD_DATABASE_NEWER
 * without having written where a newer version made it.
 */
export async function migrateTo(
  db: Kysely<never>,
  { name, migrations }: Schemas,
  dialect: Dialect,
): Promise<void> {
  const table = `${name}_version`
  await db.transaction().execute(async (tx) => {
    if (dialect === 'postgres') await sql`select pg_advisory_xact_lock(${MIGRATION_LOCK})`.execute(tx)
    const at = await versionIn(tx, { table, dialect })
    if (at > migrations.length) {
      throw new SyncError(
        'CLOUD_DATABASE_NEWER',
        `the ${name} has version ${at}; this program knows ${migrations.length}`,
      )
    }
    if (at === migrations.length) return
    for (const step of migrations.slice(at)) await step(tx, dialect)
    const versions = tx as unknown as Kysely<Versions>
    if (at === 0) {
      await tx.schema
        .createTable(table)
        .addColumn('version', 'integer', (c) => c.notNull())
        .execute()
      await versions.insertInto(table).values({ version: migrations.length }).execute()
    } else {
      await versions.updateTable(table).set({ version: migrations.length }).execute()
    }
  })
}

async function versionIn(
  db: Kysely<never>,
  { table, dialect }: { table: string; dialect: Dialect },
): Promise<number> {
  const { rows } = await KNOWN[dialect](table).execute(db)
  if (rows[0]?.known !== 1) return 0
  const versions = db as unknown as Kysely<Versions>
  const row = await versions.selectFrom(table).select('version').executeTakeFirst()
  return row?.version ?? 0
}

/** Whether there is a version, where PostgreSQL's `search_path` leads. */
const KNOWN = {
  sqlite: (table: string) =>
    sql<{ known: number }>`select count(*) as known from sqlite_master where name = ${table}`,
  postgres: (table: string) =>
    sql<{ known: number }>`select (to_regclass(${table}) is not null)::int as known`,
} as const
