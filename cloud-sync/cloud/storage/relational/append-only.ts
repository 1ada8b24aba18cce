import { sql } from 'kysely'
import type { Dialect } from './columns.ts'
import type { Migration } from './migrate.ts'

/** Refuses every change of a row of this table, in the database itself. */
export async function forbidChanges(
  db: Parameters<Migration>[0],
  dialect: Dialect,
  table: string,
): Promise<void> {
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
  // For each row: only such triggers are on partitions as well.
  await sql`create trigger ${name} before update or delete on ${sql.table(table)}
    for each row execute function ${name}()`.execute(db)
  await sql`create trigger ${sql.id(`${table}_is_kept`)} before truncate on ${sql.table(table)}
    for each statement execute function ${name}()`.execute(db)
}
