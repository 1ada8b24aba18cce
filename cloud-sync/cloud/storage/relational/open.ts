import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import {
  type Dialect as KyselyDialect,
  Kysely,
  PostgresDialect,
  type PostgresPool,
  type PostgresPoolClient,
  SqliteDialect,
  type Transaction,
} from 'kysely'
import pg from 'pg'
import { SyncError } from '../../../contract/index.ts'
import type { Dialect } from './columns.ts'
import { migrateTo, type Schemas } from './migrate.ts'

/** Where a database is: a file, or `postgres://…`. */
export type DatabaseTarget =
  | { readonly dialect: 'sqlite'; readonly path: string }
  | {
      readonly dialect: 'postgres'
      readonly url: string
      /** Connections at most. */
      readonly connections?: number
    }

const PG_CONNECTIONS = 10
const PG_CONNECT_TIMEOUT_MS = 5_000
/** Nothing of ours runs longer; a statement that does is lost, and its transaction with it. */
const PG_STATEMENT_TIMEOUT_MS = 30_000
const SQLITE_BUSY_WAIT_MS = 5_000
/** A transaction that another one stopped (deadlock, serialization) is tried again this often. */
const TRIES_MAX = 5
/** What a concurrent transaction may cause: serialization failure, deadlock. */
const PG_RETRY: ReadonlySet<string> = new Set(['40001', '40P01'])
const UNIQUE_VIOLATIONS: ReadonlySet<string> = new Set([
  '23505',
  'SQLITE_CONSTRAINT_PRIMARYKEY',
  'SQLITE_CONSTRAINT_UNIQUE',
])

/** One database of one product version, on either engine. */
export interface RelationalDatabase<S> {
  readonly dialect: Dialect
  /** For single statements; SQLite has one writing connection, which goes to one transaction at a time. */
  readonly write: Kysely<S>
  /** Never holds up a write: another connection than the transactions'. */
  readonly read: Kysely<S>
  /** Reads that all see the same moment, whatever is written meanwhile. */
  consistent<T>(work: (tx: Transaction<S>) => Promise<T>): Promise<T>
  /** All or nothing, synced to disk before it resolves; run again where a concurrent one was in the way. */
  transaction<T>(work: (tx: Transaction<S>) => Promise<T>): Promise<T>
  close: () => Promise<void>
}

/** Opens and migrates; throws CLOUD_DATABASE_NEWER, CLOUD_DATABASE_UNSAFE or CLOUD_DATABASE_FAILED. */
export async function openRelational<S>(
  target: DatabaseTarget,
  schemas: Schemas,
): Promise<RelationalDatabase<S>> {
  const engine = target.dialect === 'sqlite' ? sqliteEngine<S>(target.path) : postgresEngine<S>(target)
  try {
    await migrateTo(engine.write as unknown as Kysely<never>, schemas, target.dialect)
    await engine.assertDurable()
  } catch (error) {
    await engine.close()
    throw error instanceof SyncError ? error : failed(error)
  }
  const { read, write, close } = engine
  const { dialect } = target
  const consistent = <T>(work: (tx: Transaction<S>) => Promise<T>): Promise<T> =>
    dialect === 'sqlite'
      ? read.transaction().execute(work)
      : read.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(work)
  return { dialect, read, write, close, consistent, transaction: (work) => retried(write, work) }
}

/** True where a row with the same key or unique value was there already. */
export const isDuplicate = (error: unknown): boolean => UNIQUE_VIOLATIONS.has(codeOf(error))

/** SQLite's number for `synchronous=FULL`. */
const SYNCHRONOUS_FULL = 2

/** Asked again after the first write: the setting may be lost on the way into WAL. */
function assertSafe(db: BetterSqlite.Database, path: string): void {
  const synchronous = db.pragma('synchronous', { simple: true })
  const journal = db.pragma('journal_mode', { simple: true })
  if (synchronous !== SYNCHRONOUS_FULL || journal !== 'wal') {
    throw new SyncError(
      'CLOUD_DATABASE_UNSAFE',
      `${path} runs with synchronous=${String(synchronous)}, journal_mode=${String(journal)}`,
    )
  }
}

interface Engine<S> {
  readonly read: Kysely<S>
  readonly write: Kysely<S>
  assertDurable: () => Promise<void>
  close: () => Promise<void>
}

function sqliteEngine<S>(path: string): Engine<S> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  closeSync(openSync(path, 'a', 0o600))
  const writer = new BetterSqlite(path, { timeout: SQLITE_BUSY_WAIT_MS })
  writer.pragma('journal_mode = WAL')
  // The build's default for WAL is NORMAL: what was already acknowledged could vanish at a power cut.
  writer.pragma('synchronous = FULL')
  const reader = new BetterSqlite(path, { readonly: true, timeout: SQLITE_BUSY_WAIT_MS })
  const on = (database: BetterSqlite.Database): Kysely<S> =>
    kyselyOn(new SqliteDialect({ database: { close: () => undefined, prepare: preparedOn(database) } }))
  const [read, write] = [on(reader), on(writer)]
  return {
    read,
    write,
    assertDurable: () => {
      assertSafe(writer, path)
      return Promise.resolve()
    },
    close: async () => {
      await read.destroy()
      await write.destroy()
      reader.close()
      writer.close()
    },
  }
}

/** Statements that a SQLite connection keeps compiled. */
const SQLITE_STATEMENTS_KEPT_MAX = 256

function preparedOn(database: BetterSqlite.Database): (text: string) => BetterSqlite.Statement {
  const kept = new Map<string, BetterSqlite.Statement>()
  return (text) => {
    const known = kept.get(text)
    if (known !== undefined) return known
    if (kept.size >= SQLITE_STATEMENTS_KEPT_MAX) kept.clear()
    const made = database.prepare(text)
    kept.set(text, made)
    return made
  }
}

function postgresEngine<S>({ url, connections }: DatabaseTarget & { dialect: 'postgres' }): Engine<S> {
  const pool = new pg.Pool({
    connectionString: url,
    max: connections ?? PG_CONNECTIONS,
    connectionTimeoutMillis: PG_CONNECT_TIMEOUT_MS,
    statement_timeout: PG_STATEMENT_TIMEOUT_MS,
    application_name: 'headgate',
    types: {
      getTypeParser: (oid, format) =>
        oid === pg.types.builtins.INT8
          ? Number
          : (pg.types.getTypeParser(oid, format) as (text: string) => unknown),
    },
  })
  // An idle connection that the server ends is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => undefined)
  const db = kyselyOn<S>(new PostgresDialect({ pool: preparing(pool) }))
  return {
    read: db,
    write: db,
    assertDurable: async () => {
      const { rows } = await pool.query<{ commit: string; fsync: string }>(
        "select current_setting('synchronous_commit') as commit, current_setting('fsync') as fsync",
      )
      const [found] = rows
      if (found?.commit === 'off' || found?.fsync !== 'on') {
        throw new SyncError(
          'CLOUD_DATABASE_UNSAFE',
          `PostgreSQL runs with fsync=${found?.fsync ?? '?'}, synchronous_commit=${found?.commit ?? '?'}`,
        )
      }
    },
    close: () => db.destroy(),
  }
}

/** Statements that each connection keeps planned; the directory has fewer shapes, but lists in them vary. */
const PG_STATEMENTS_KEPT_MAX = 500

/** Names each statement that reads or writes rows, so that the server parses and plans it once a connection. */
function preparing(pool: pg.Pool): PostgresPool {
  const names = new Map<string, string>()
  const nameOf = (text: string): string | undefined => {
    const known = names.get(text)
    if (known !== undefined || names.size >= PG_STATEMENTS_KEPT_MAX || !ROWS.test(text)) return known
    const name = `s${names.size}`
    names.set(text, name)
    return name
  }
  const named = (client: pg.PoolClient): PostgresPoolClient => {
    const query = (text: string, values: readonly unknown[]) => {
      const name = nameOf(text)
      return client.query({ text, values: [...values], ...(name === undefined ? {} : { name }) })
    }
    return {
      query: query as unknown as PostgresPoolClient['query'],
      release: () => {
        client.release()
      },
    }
  }
  const { options } = pool
  return { connect: async () => named(await pool.connect()), end: () => pool.end(), options }
}
const ROWS = /^(select|insert|update|delete|with)\b/

const kyselyOn = <S>(dialect: KyselyDialect): Kysely<S> => new Kysely<S>({ dialect })

async function retried<S, T>(db: Kysely<S>, work: (tx: Transaction<S>) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await db.transaction().execute(work)
    } catch (error) {
      if (attempt >= TRIES_MAX || !PG_RETRY.has(codeOf(error))) throw error
    }
  }
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : ''
}

const failed = (cause: unknown): SyncError =>
  new SyncError('CLOUD_DATABASE_FAILED', cause instanceof Error ? cause.message : String(cause), { cause })
