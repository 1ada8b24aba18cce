import { CompiledQuery, type Kysely, PostgresAdapter } from 'kysely'
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

/** Changes many rows that are there; PostgreSQL only, where that costs half of an `on conflict`. */
export async function updateAll(
  db: Runs,
  { of, table, set }: { of: string; table: Table; set: readonly string[] },
  rows: readonly Row[],
): Promise<void> {
  if (rows.length === 0) return
  const columns = Object.entries(table.columns)
  const names = columns.map(([name]) => `"${name}"`).join(', ')
  const arrays = columns.map(([, { holds }], at) => `$${at + 1}::${PG_TYPES[holds]}[]`).join(', ')
  const cells = columns.map(([name, { holds }]) =>
    arrayOf(
      holds,
      rows.map((row) => row[name] as Cell),
    ),
  )
  const moved = set.map((name) => `"${name}" = k."${name}"`).join(', ')
  const same = table.key.map((name) => `t."${name}" = k."${name}"`).join(' and ')
  const text = `${PLANNED_ANEW} update "${of}" t set ${moved} from unnest(${arrays}) as k(${names}) where ${same}`
  const { numAffectedRows } = await db.executeQuery(CompiledQuery.raw(text, cells))
  if (numAffectedRows !== BigInt(rows.length)) throw new Error(`${of}: not every row was there`)
}

/** Asks one question about many rows. */
export interface AskedOf {
  /** `name: holds` of the rows' parts, in order. */
  readonly columns: Readonly<Record<string, 'text' | 'whole'>>
  /** The question, which begins at `select`; the rows are the table `k`. */
  readonly question: string
}

/**
 * Every answer to a question about rows, which are the table `k` in it. Join it with a cross join and `where`: SQLite
 * then goes through the rows, never through the table that is looked into.
 */
export async function answersTo<T>(
  db: Runs,
  { columns, question }: AskedOf,
  rows: readonly (readonly (string | number)[])[],
): Promise<T[]> {
  const named = Object.entries(columns)
  const names = named.map(([name]) => `"${name}"`).join(', ')
  if (dialectOf(db) === 'postgres') {
    const arrays = named.map(([, holds], at) => `$${at + 1}::${PG_TYPES[holds]}[]`).join(', ')
    const cells = named.map(([, holds], at) =>
      arrayOf(
        holds,
        rows.map((row) => row[at] ?? null),
      ),
    )
    const text = `${PLANNED_ANEW} with k(${names}) as (select * from unnest(${arrays})) ${question}`
    return (await db.executeQuery<T>(CompiledQuery.raw(text, cells))).rows
  }
  const row = `(${named.map(() => '?').join(', ')})`
  const answers: T[] = []
  let at = 0
  for (const size of SQLITE_CHUNKS) {
    for (; rows.length - at >= size; at += size) {
      const values = Array.from({ length: size }, () => row).join(', ')
      const text = `with k(${names}) as (values ${values}) ${question}`
      const cells = rows.slice(at, at + size).flat()
      for (const answer of (await db.executeQuery<T>(CompiledQuery.raw(text, cells))).rows)
        answers.push(answer)
    }
  }
  return answers
}

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
