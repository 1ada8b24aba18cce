import { CompiledQuery, type Kysely, PostgresAdapter } from 'kysely'
import type { Column, Dialect, Table } from './columns.ts'

type Cell = string | number | bigint | Uint8Array | null
type Row = Readonly<Record<string, unknown>>
type Holds = Column<unknown>['holds']

/** Rows of one SQLite statement; a few sizes only, so that each is compiled once. */
const SQLITE_CHUNKS = [64, 16, 4, 1] as const
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
    const cells = columns.map(([name, { holds }]) => arrayOf(holds, rows, (row) => row[name] as Cell))
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

/** Rows that are parts of another one, with the columns in which they all say the same as that one. */
export interface Parts {
  readonly of: Row
  readonly rows: readonly Row[]
}

/** Where parts are written: `shared` are the columns that they have from what they are parts of. */
interface PartsBulk {
  readonly into: string
  readonly table: Table
  readonly shared: readonly string[]
}

/** Writes the parts of many rows; what is the same in all parts of a row is sent once. */
export async function insertParts(db: Runs, bulk: PartsBulk, parts: readonly Parts[]): Promise<void> {
  if (parts.every(({ rows }) => rows.length === 0)) return
  if (dialectOf(db) === 'postgres') await db.executeQuery(partsAsArrays(bulk, parts))
  else for (const query of partsAsValues(bulk, parts)) await db.executeQuery(query)
}

const listed = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ')
const ownOf = ({ table, shared }: PartsBulk): string[] =>
  Object.keys(table.columns).filter((name) => !shared.includes(name))

function partsAsArrays(bulk: PartsBulk, parts: readonly Parts[]): CompiledQuery {
  const { into, table, shared } = bulk
  const own = ownOf(bulk)
  const rows = parts.flatMap((part, at) => part.rows.map((row) => ({ row, at })))
  const holdsOf = (name: string): Holds => table.columns[name]?.holds ?? 'text'
  const arrays = (names: readonly string[], from: number): string =>
    names.map((name, at) => `$${from + at}::${PG_TYPES[holdsOf(name)]}[]`).join(', ')
  const text = `${PLANNED_ANEW} insert into "${into}" (${listed(shared)}, ${listed(own)})
    select ${listed(shared)}, ${listed(own)}
    from unnest(${arrays(shared, 2)}) with ordinality r(${listed(shared)}, part_no)
    join unnest($1::int8[], ${arrays(own, shared.length + 2)}) p(part_no, ${listed(own)}) using (part_no)`
  const cells = [
    arrayOf('whole', rows, ({ at }) => at + 1),
    ...shared.map((name) => arrayOf(holdsOf(name), parts, ({ of }) => of[name] as Cell)),
    ...own.map((name) => arrayOf(holdsOf(name), rows, ({ row }) => row[name] as Cell)),
  ]
  return CompiledQuery.raw(text, cells)
}

function* partsAsValues(bulk: PartsBulk, parts: readonly Parts[]): Generator<CompiledQuery> {
  const { into, shared } = bulk
  const own = ownOf(bulk)
  const places = (names: readonly string[]): string => names.map(() => '?').join(', ')
  const statements = SQLITE_CHUNKS.map((size) => {
    const values = Array.from({ length: size }, () => `(${places(own)})`).join(', ')
    const from = `(select ${places(shared)}) cross join (values ${values})`
    return { size, text: `insert into "${into}" (${listed(shared)}, ${listed(own)}) select * from ${from}` }
  })
  for (const { of, rows } of parts) {
    let at = 0
    for (const { size, text } of statements) {
      for (; rows.length - at >= size; at += size) {
        const cells = shared.map((name) => of[name])
        for (const row of rows.slice(at, at + size)) for (const name of own) cells.push(row[name])
        yield CompiledQuery.raw(text, cells)
      }
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
  const cells = columns.map(([name, { holds }]) => arrayOf(holds, rows, (row) => row[name] as Cell))
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
    const cells = named.map(([, holds], at) => arrayOf(holds, rows, (row) => row[at] ?? null))
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

/** One column of some rows as a PostgreSQL array, as text. */
function arrayOf<R>(holds: Holds, rows: readonly R[], cellOf: (row: R) => Cell): string {
  const elementOf = ELEMENTS[holds]
  // Most texts stand in many rows.
  const texts = new Map<Cell, string>()
  const elements = rows.map((row) => {
    const cell = cellOf(row)
    if (cell === null) return 'NULL'
    if (holds !== 'text') return elementOf(cell)
    const known = texts.get(cell)
    if (known !== undefined) return known
    const element = elementOf(cell)
    texts.set(cell, element)
    return element
  })
  return `{${elements.join(',')}}`
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
