import { sql } from 'kysely'
import { createTable, type Dialect, type Migration } from '../relational/index.ts'
import { DIRECTORY_TABLES } from './tables.ts'

/** Rows of these are facts. */
const APPEND_ONLY = ['policy_log', 'audit', 'log_checkpoint'] as const

/**
 * The first version is the table data itself. Once it is released, a later version takes its own steps and the data
 * of this one is copied here.
 */
const first: Migration = async (db, dialect) => {
  for (const [name, table] of Object.entries(DIRECTORY_TABLES)) {
    await createTable(db, { name, table, dialect })
  }
  for (const table of APPEND_ONLY) await forbidChanges(db, dialect, table)
}

async function forbidChanges(db: Parameters<Migration>[0], dialect: Dialect, table: string): Promise<void> {
  const what = sql.lit(`${table} is append-only`)
  if (dialect === 'sqlite') {
    for (const change of ['update', 'delete']) {
      await sql`create trigger ${sql.id(`${table}_no_${change}`)} before ${sql.raw(change)} on ${sql.table(table)}
        begin select raise(abort, ${what}); end`.execute(db)
    }
    return
  }
  const name = sql.id(`${table}_is_append_only`)
  await sql`create function ${name}() returns trigger language plpgsql as
    ${sql.lit(`begin raise exception '${table} is append-only'; end`)}`.execute(db)
  await sql`create trigger ${name} before update or delete or truncate on ${sql.table(table)}
    for each statement execute function ${name}()`.execute(db)
}

export const DIRECTORY_MIGRATIONS: readonly Migration[] = [first]
