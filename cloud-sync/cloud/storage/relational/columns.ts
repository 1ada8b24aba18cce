import { type ColumnType, type Kysely, type RawBuilder, sql } from 'kysely'

/** One column: its SQL type on both databases and, for the compiler only, what it holds. */
export interface Column<T> {
  readonly holds: 'text' | 'whole' | 'serial' | 'bytes'
  readonly nullable: boolean
  readonly type?: T
}

export const text = <T extends string = string>(): Column<T> => ({ holds: 'text', nullable: false })
/** A whole number up to 2^53: times are epoch ms, flags 0 or 1. */
export const whole = (): Column<number> => ({ holds: 'whole', nullable: false })
/** 64 bits, exact: written as bigint, read as text (`cast(… as text)`), because a number is exact up to 2^53 only. */
export const exact = (): Column<ColumnType<never, bigint, bigint>> => ({ holds: 'whole', nullable: false })
/** Counts up by itself, in the order of insertion. */
export const serial = (): Column<number> => ({ holds: 'serial', nullable: false })
export const bytes = (): Column<Uint8Array> => ({ holds: 'bytes', nullable: false })
export const maybe = <T>(column: Column<T>): Column<T | null> => ({ holds: column.holds, nullable: true })

/** A table as data: the migration that makes it and the types of its rows come from the same lines. */
export interface Table {
  readonly columns: Readonly<Record<string, Column<unknown>>>
  readonly key: readonly string[]
  readonly unique?: readonly (readonly string[])[]
  /** Unique among the rows in which `known` is not null. */
  readonly uniqueWhereKnown?: readonly { readonly columns: readonly string[]; readonly known: string }[]
  readonly indexes?: readonly (readonly string[])[]
}
export type Tables = Readonly<Record<string, Table>>

type Held<C> = C extends Column<infer T> ? T : never
export type RowOf<T extends Table> = { [C in keyof T['columns']]: Held<T['columns'][C]> }
/** What Kysely takes for its schema. */
export type SchemaOf<T extends Tables> = { [N in keyof T]: RowOf<T[N]> }

/** Texts sort by code point on both, as JavaScript's do. */
const TYPES = {
  sqlite: { text: 'text', whole: 'bigint', serial: 'integer', bytes: 'blob' },
  postgres: { text: sql`text collate "C"`, whole: 'bigint', serial: 'bigserial', bytes: 'bytea' },
} as const

/** Makes a table and its indexes. @param end what follows the columns, such as how it is partitioned */
export async function createTable(
  db: Kysely<never>,
  {
    name,
    table,
    dialect,
    end,
  }: { name: string; table: Table; dialect: Dialect; end?: RawBuilder<unknown> | undefined },
): Promise<void> {
  const typeOf = TYPES[dialect]
  let made = db.schema.createTable(name)
  for (const [column, { holds, nullable }] of Object.entries(table.columns)) {
    made = made.addColumn(column, typeOf[holds], (c) => (nullable ? c : c.notNull()))
  }
  made = made.addPrimaryKeyConstraint(`${name}_pk`, table.key as never[])
  for (const [index, columns] of (table.unique ?? []).entries()) {
    made = made.addUniqueConstraint(`${name}_u${index + 1}`, columns as never[])
  }
  await (end === undefined ? made : made.modifyEnd(end)).execute()
  for (const [index, { columns, known }] of (table.uniqueWhereKnown ?? []).entries()) {
    await db.schema
      .createIndex(`${name}_w${index + 1}`)
      .unique()
      .on(name)
      .columns([...columns])
      .where(sql.ref(known), 'is not', null)
      .execute()
  }
  for (const [index, columns] of (table.indexes ?? []).entries()) {
    await db.schema
      .createIndex(`${name}_i${index + 1}`)
      .on(name)
      .columns([...columns])
      .execute()
  }
}

export type Dialect = 'sqlite' | 'postgres'
