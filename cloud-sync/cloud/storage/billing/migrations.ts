import { createTable, forbidChanges, type Migration } from '../relational/index.ts'
import { BILLING_TABLES } from './tables.ts'

/** Rows of these are facts. */
export const BILLING_FACTS = [
  ...['price_book', 'billing_terms', 'rating_run', 'booked_line', 'ledger_transaction', 'ledger_entry'],
  ...['invoice', 'receipt', 'provider_event', 'billing_audit', 'meter_run'],
] as const

/** Once it is released, a later version takes its own steps and the data of this one is copied here. */
const first: Migration = async (db, dialect) => {
  for (const [name, table] of Object.entries(BILLING_TABLES)) await createTable(db, { name, table, dialect })
  for (const table of BILLING_FACTS) await forbidChanges(db, dialect, table)
}

export const BILLING_MIGRATIONS: readonly Migration[] = [first]
