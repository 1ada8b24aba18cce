import type { Database } from 'better-sqlite3'

/**
 * What a database in memory holds, bytes; 0 for one in a file, whose cache is bounded. SQLite takes it from malloc, where
 * Node does not see it, and keeps what was freed for what comes.
 */
export function memoryOf(database: Database): number {
  if (!database.memory) return 0
  const number = (name: string): number => Number(database.pragma(name, { simple: true }))
  return (number('page_count') - number('freelist_count')) * number('page_size')
}
