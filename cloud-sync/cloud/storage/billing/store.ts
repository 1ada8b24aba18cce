import { type Kysely, sql, type Transaction } from 'kysely'
import {
  type DatabaseTarget,
  openRelational,
  rowReader,
  type RowReader,
  type RowWriter,
  rowWriter,
  type SchemaOf,
} from '../relational/index.ts'
import { BILLING_MIGRATIONS } from './migrations.ts'
import { BILLING_TABLES, type BillingRow, type BillingTables } from './tables.ts'

type Schema = SchemaOf<BillingTables>
/** Only `post` writes these. */
type LedgerTable = 'ledger_transaction' | 'ledger_entry'
/** What is changed in place; everything else is only added to. */
type WorkingTable =
  | 'billing_period'
  | 'payment_method'
  | 'payment'
  | 'refund'
  | 'provider_customer'
  | 'meter_event'
/** Rows in one INSERT; SQLite allows 32,766 parameters in a statement. */
const INSERT_ROWS_MAX = 500

export interface BillingReader extends RowReader<BillingTables> {
  /** What stands in each account whose name begins so, by name. */
  balances(prefix: string): Promise<Map<string, bigint>>
}

/** Entries of one booking; they sum to zero. */
export interface NewBooking extends Omit<BillingRow<'ledger_transaction'>, 'at'> {
  readonly entries: readonly { readonly account: string; readonly amount: bigint }[]
}

export interface BillingTransaction extends BillingReader {
  add<N extends Exclude<keyof BillingTables, LedgerTable>>(
    table: N,
    row: Omit<BillingRow<N>, 'position'>,
  ): Promise<void>
  put<N extends WorkingTable>(table: N, row: BillingRow<N>): Promise<void>
  /** Waits until no other transaction has this name, and keeps it to the end. */
  exclusively(name: string): Promise<void>
  /**
   * Books in double entry. A name that was booked before is thrown as `isDuplicate` knows it.
   * @throws Error where entries of one booking do not sum to zero; nothing of the transaction stays
   */
  post(bookings: readonly NewBooking[], at: number): Promise<void>
  /** Takes out answers for repetitions that are older. */
  forget(before: number): Promise<void>
}

/** Billing's database: rate cards, months, statements, the double entry, payments; on SQLite or PostgreSQL. */
export interface BillingStore {
  readonly dialect: 'sqlite' | 'postgres'
  readonly read: BillingReader
  /** Reads that all see the same moment. */
  consistent<T>(work: (read: BillingReader) => Promise<T>): Promise<T>
  transaction<T>(work: (tx: BillingTransaction) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** Opens and migrates; throws CLOUD_DATABASE_NEWER, CLOUD_DATABASE_UNSAFE, CLOUD_DATABASE_FAILED. */
export async function openBillingStore(target: DatabaseTarget): Promise<BillingStore> {
  const database = await openRelational<Schema>(target, { name: 'billing', migrations: BILLING_MIGRATIONS })
  const { dialect, read, close } = database
  return {
    dialect,
    read: readerOn(read),
    close,
    consistent: (work) => database.consistent((tx) => work(readerOn(tx))),
    transaction: (work) => database.transaction((tx) => work(transactionOn(tx, dialect))),
  }
}

function readerOn(db: Kysely<Schema>): BillingReader {
  return {
    ...rowReader<BillingTables>(db as unknown as Kysely<never>),
    async balances(prefix) {
      const rows = await db
        .selectFrom('ledger_entry')
        .select(['account', 'amount'])
        .where('account', '>=', prefix)
        .where('account', '<', `${prefix}\u{10FFFF}`)
        .orderBy('account')
        .execute()
      const sums = new Map<string, bigint>()
      for (const { account, amount } of rows) sums.set(account, (sums.get(account) ?? 0n) + BigInt(amount))
      return sums
    },
  }
}

function transactionOn(tx: Transaction<Schema>, dialect: 'sqlite' | 'postgres'): BillingTransaction {
  const writer: RowWriter<BillingTables> = rowWriter(tx as unknown as Transaction<never>, BILLING_TABLES)
  return {
    ...readerOn(tx),
    add: (table, row) => writer.add(table, row),
    put: (table, row) => writer.put(table, row),
    async exclusively(name) {
      // SQLite has one writer at a time anyway.
      if (dialect === 'postgres')
        await sql`select pg_advisory_xact_lock(hashtextextended(${`billing ${name}`}, 0))`.execute(tx)
    },
    async post(bookings, at) {
      const unbalanced = bookings.find(({ entries }) => entries.reduce((sum, e) => sum + e.amount, 0n) !== 0n)
      if (unbalanced !== undefined) throw new Error(`booking ${unbalanced.id} does not sum to zero`)
      const made = bookings.map(({ id, org, period, corrects, kind }) => ({
        id,
        org,
        period,
        corrects,
        kind,
        at,
      }))
      const entries = bookings.flatMap(({ id, entries: some }) =>
        some.map(({ account, amount }, no) => ({ transaction: id, no, account, amount: amount.toString() })),
      )
      for (const rows of chunks(made)) await tx.insertInto('ledger_transaction').values(rows).execute()
      for (const rows of chunks(entries)) await tx.insertInto('ledger_entry').values(rows).execute()
    },
    async forget(before) {
      await tx.deleteFrom('billing_done').where('at', '<', before).execute()
    },
  }
}

function* chunks<T>(rows: readonly T[]): Generator<T[]> {
  for (let at = 0; at < rows.length; at += INSERT_ROWS_MAX) yield rows.slice(at, at + INSERT_ROWS_MAX)
}
