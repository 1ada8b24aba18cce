import type { Database, Statement } from 'better-sqlite3'

const statements = new WeakMap<Database, Map<string, Statement>>()

/**
 * The statement for this text, compiled once for each connection: a commit that serves one message would spend most of
 * its time compiling. Not for `iterate`, which keeps a statement busy.
 */
export function prepared(database: Database, sql: string): Statement {
  let known = statements.get(database)
  if (known === undefined) statements.set(database, (known = new Map<string, Statement>()))
  let statement = known.get(sql)
  if (statement === undefined) known.set(sql, (statement = database.prepare(sql)))
  return statement
}
