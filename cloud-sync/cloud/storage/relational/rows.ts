import type { Kysely, SelectQueryBuilder, Transaction } from 'kysely'
import type { RowOf, Tables } from './columns.ts'

type Untyped = Record<string, Record<string, unknown>>
/** Values a column must have; a list means any of them. */
export type Where<R> = { readonly [C in keyof R]?: R[C] | readonly R[C][] }

export interface Page<R> {
  readonly orderBy?: readonly (keyof R & string)[]
  readonly descending?: boolean
  /** Only rows whose first `orderBy` column is beyond this. */
  readonly after?: string | number
  readonly limit?: number
}

/** Typed reading of whole rows by equality: all that most of a directory needs. */
export interface RowReader<T extends Tables> {
  get<N extends keyof T & string>(table: N, where: Where<RowOf<T[N]>>): Promise<RowOf<T[N]> | undefined>
  find<N extends keyof T & string>(
    table: N,
    where: Where<RowOf<T[N]>>,
    page?: Page<RowOf<T[N]>>,
  ): Promise<RowOf<T[N]>[]>
  /** How many rows there are. */
  count<N extends keyof T & string>(table: N, where: Where<RowOf<T[N]>>): Promise<number>
}

export interface RowWriter<T extends Tables> extends RowReader<T> {
  /** Writes the row whole, over one with the same key. */
  put<N extends keyof T & string>(table: N, row: RowOf<T[N]>): Promise<void>
  /** Writes a row that must be new; throws what `isDuplicate` knows. */
  add<N extends keyof T & string>(table: N, row: Omit<RowOf<T[N]>, 'position'>): Promise<void>
  drop<N extends keyof T & string>(table: N, where: Where<RowOf<T[N]>>): Promise<void>
}

export function rowReader<T extends Tables>(db: Kysely<never>): RowReader<T> {
  const untyped = db as unknown as Kysely<Untyped>
  const find = async (
    table: string,
    where: Record<string, unknown>,
    { orderBy = [], descending = false, after, limit }: Page<Record<string, unknown>> = {},
  ): Promise<Record<string, unknown>[]> => {
    if (Object.values(where).some((value) => Array.isArray(value) && value.length === 0)) return []
    let query = matching(untyped.selectFrom(table).selectAll(), where)
    const [first] = orderBy
    if (first !== undefined && after !== undefined) query = query.where(first, descending ? '<' : '>', after)
    for (const column of orderBy) query = query.orderBy(column, descending ? 'desc' : 'asc')
    return (limit === undefined ? query : query.limit(limit)).execute()
  }
  return {
    find,
    get: async (table: string, where: Record<string, unknown>) => (await find(table, where, { limit: 1 }))[0],
    async count(table: string, where: Record<string, unknown>) {
      const query = matching(untyped.selectFrom(table), where)
      const found = await query.select((eb) => eb.fn.countAll().as('rows')).executeTakeFirst()
      return Number(found?.['rows'] ?? 0)
    },
  } as unknown as RowReader<T>
}

export function rowWriter<T extends Tables>(tx: Transaction<never>, tables: T): RowWriter<T> {
  const untyped = tx as unknown as Transaction<Untyped>
  return {
    ...rowReader<T>(tx),
    async put(table: string, row: Record<string, unknown>) {
      const key = tables[table]?.key ?? []
      const changed = Object.fromEntries(Object.entries(row).filter(([column]) => !key.includes(column)))
      await untyped
        .insertInto(table)
        .values(row)
        .onConflict((c) =>
          Object.keys(changed).length === 0
            ? c.columns(key).doNothing()
            : c.columns(key).doUpdateSet(changed),
        )
        .execute()
    },
    async add(table: string, row: Record<string, unknown>) {
      await untyped.insertInto(table).values(row).execute()
    },
    async drop(table: string, where: Record<string, unknown>) {
      let query = untyped.deleteFrom<string>(table)
      for (const [column, value] of Object.entries(where)) query = query.where(column, '=', value)
      await query.execute()
    },
  }
}

type Query = SelectQueryBuilder<Untyped, string, Record<string, unknown>>

function matching(query: Query, where: Record<string, unknown>): Query {
  return Object.entries(where).reduce<Query>((narrowed, [column, value]) => {
    if (Array.isArray(value)) return narrowed.where(column, 'in', value)
    return value === null ? narrowed.where(column, 'is', null) : narrowed.where(column, '=', value)
  }, query)
}
