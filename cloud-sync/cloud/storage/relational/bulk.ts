import { CompiledQuery, type Kysely, PostgresAdapter, type RawBuilder, sql } from 'kysely'
import type { Column, Dialect, Table } from './columns.ts'

type Cell = string | number | bigint | Uint8Array | null
type Row = Readonly<Record<string, unknown>>
type Holds = Column<unknown>['holds']

/** Rows of one SQLite statement; a few sizes only, so that each is compiled once. */
const SQLITE_CHUNKS = [64, 8, 1] as const
const PG_TYPES: Record<Holds, string> = { text: 'text', whole: 'int8', serial: 'int8', bytes: 'bytea' }
/**
 * Keeps PostgreSQL from a plan that was made when a table was empty: a statement that begins so is planned each time,
 * for as many rows as it is given.
 */
const PLANNED_ANEW = '/* many */'

/** Runs statements, whatever the tables. */
type Runs = Pick<Kysely<never>, 'executeQuery' | 'getExecutor'>

export const dialectOf = (db: Runs): Dialect =>
  db.getExecutor().adapter instanceof PostgresAdapter ? 'postgres' : 'sqlite'

export interface Bulk {
  readonly into: string
  readonly table: Table
  /** What follows the rows, e.g. `on conflict …`. */
  readonly then?: string
}

/** Writes many whole rows with few statements, on PostgreSQL one: as an array for each column. */
export async function insertAll(
  db: Runs,
  { into, table, then = '' }: Bulk,
  rows: readonly Row[],
): Promise<void> {
  if (rows.length === 0) return
  const columns = Object.entries(table.columns).filter(([, { holds }]) => holds !== 'serial')
  const names = columns.map(([name]) => `"${name}"`).join(', ')
  const head = `insert into "${into}" (${names})`
  if (dialectOf(db) === 'postgres') {
    const arrays = columns.map(([, { holds }], at) => `$${at + 1}::${PG_TYPES[holds]}[]`).join(', ')
    const cells = columns.map(([name, { holds }]) =>
      arrayOf(
        holds,
        rows.map((row) => row[name] as Cell),
      ),
    )
    await db.executeQuery(
      CompiledQuery.raw(`${PLANNED_ANEW} ${head} select * from unnest(${arrays}) ${then}`, cells),
    )
    return
  }
  const row = `(${columns.map(() => '?').join(', ')})`
  let at = 0
  for (const size of SQLITE_CHUNKS) {
    for (; rows.length - at >= size; at += size) {
      const cells: unknown[] = []
      for (let n = at; n < at + size; n += 1) for (const [name] of columns) cells.push(rows[n]?.[name])
      const values = Array.from({ length: size }, () => row).join(', ')
      await db.executeQuery(CompiledQuery.raw(`${head} values ${values} ${then}`, cells))
    }
  }
}

/** Rows as a table that a query joins; texts and whole numbers only. @param columns `name: holds` in order */
export function rowsAsTable(
  db: Runs,
  { alias, columns }: { alias: string; columns: Readonly<Record<string, 'text' | 'whole'>> },
  rows: readonly (readonly (string | number)[])[],
): RawBuilder<unknown> {
  const named = Object.entries(columns)
  if (dialectOf(db) === 'postgres') {
    const arrays = named.map(
      ([, holds], at) =>
        sql`${arrayOf(
          holds,
          rows.map((row) => row[at] ?? null),
        )}::${sql.raw(PG_TYPES[holds])}[]`,
    )
    const names = named.map(([name]) => sql.id(name))
    return sql`unnest(${sql.join(arrays)}) as ${sql.id(alias)}(${sql.join(names)})`
  }
  const parts = named.map(([name], at) => sql`value ->> ${sql.lit(at)} as ${sql.id(name)}`)
  return sql`(select ${sql.join(parts)} from json_each(${JSON.stringify(rows)})) as ${sql.id(alias)}`
}

/** Begins a query over such a table. */
export const plannedAnew = sql.raw(PLANNED_ANEW)

/** A PostgreSQL array as text. */
function arrayOf(holds: Holds, cells: readonly Cell[]): string {
  return `{${cells.map((cell) => (cell === null ? 'NULL' : ELEMENTS[holds](cell))).join(',')}}`
}

const ELEMENTS: Record<Holds, (cell: Exclude<Cell, null>) => string> = {
  text: (cell) => quoted(String(cell)),
  whole: String,
  serial: String,
  bytes: (cell) => `"\\\\x${Buffer.from(cell as Uint8Array).toString('hex')}"`,
}
const SPECIAL = /["\\]/
const quoted = (text: string): string =>
  `"${SPECIAL.test(text) ? text.replaceAll(/["\\]/g, String.raw`\$&`) : text}"`
