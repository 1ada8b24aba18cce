import { createTable, forbidChanges, type Migration } from '../relational/index.ts'
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

export const DIRECTORY_MIGRATIONS: readonly Migration[] = [first]
