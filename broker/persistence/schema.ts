import type { Database } from 'better-sqlite3'
import { BrokerError } from '../errors.ts'

/** Steps of the broker's tables; only ever appended, a released one is never changed. */
const STEPS: readonly string[] = [
  `
  CREATE TABLE broker_session (
    no INTEGER PRIMARY KEY, client TEXT NOT NULL UNIQUE, principal TEXT NOT NULL,
    last INTEGER NOT NULL, sent INTEGER NOT NULL);

  CREATE TABLE broker_filter (
    session INTEGER NOT NULL, topic TEXT NOT NULL, qos INTEGER NOT NULL, extra TEXT,
    PRIMARY KEY (session, topic)) WITHOUT ROWID;

  -- A message that waits in several queues; refs = rows that name it, changed in the same transaction.
  CREATE TABLE broker_message (
    id INTEGER PRIMARY KEY, refs INTEGER NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL);

  -- A message that waits in one queue only is in its row (topic and payload): the usual case costs one row, not two.
  -- at = counted running time, ms. The payload is last, so that counting reads no overflow pages.
  CREATE TABLE broker_queue (
    session INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, bytes INTEGER NOT NULL,
    qos INTEGER NOT NULL, retain INTEGER NOT NULL, released INTEGER NOT NULL,
    message INTEGER, extra TEXT, topic TEXT, payload BLOB,
    PRIMARY KEY (session, seq)) WITHOUT ROWID;

  -- version = the commit that wrote it.
  CREATE TABLE broker_retained (
    topic TEXT PRIMARY KEY, version INTEGER NOT NULL, bytes INTEGER NOT NULL,
    qos INTEGER NOT NULL, extra TEXT, payload BLOB NOT NULL) WITHOUT ROWID;

  CREATE TABLE broker_incoming (
    session INTEGER NOT NULL, id INTEGER NOT NULL, extra TEXT NOT NULL,
    PRIMARY KEY (session, id)) WITHOUT ROWID;

  CREATE TABLE broker_will (
    client TEXT PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL,
    qos INTEGER NOT NULL, retain INTEGER NOT NULL, extra TEXT) WITHOUT ROWID;

  -- One row for each commit with all that clients published in it; at = counted running time, routed = the newest row
  -- that was routed by then; kept here, they cost no page of their own.
  CREATE TABLE broker_journal (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, routed INTEGER NOT NULL, crc INTEGER NOT NULL, entries BLOB NOT NULL);
  `,
  `
  -- Messages and bytes since the database was made; written with the messages, never set back.
  CREATE TABLE broker_traffic (
    principal TEXT NOT NULL, owner TEXT NOT NULL, direction TEXT NOT NULL,
    messages INTEGER NOT NULL, bytes INTEGER NOT NULL, retransmitted INTEGER NOT NULL,
    refused INTEGER NOT NULL, refused_bytes INTEGER NOT NULL,
    PRIMARY KEY (principal, owner, direction)) WITHOUT ROWID;

  -- Up to this queue number the rows of the session are in the registers as messages that were sent.
  ALTER TABLE broker_session ADD COLUMN metered INTEGER NOT NULL DEFAULT 0;
  `,
]

/**
 * Makes or brings up to date the tables of the broker, all named `broker_…`, with a version of their own. Throws
 * BROKER_STORE_NEWER where a newer program wrote them; nothing is written then.
 */
export function migrateBroker(database: Database): void {
  const migrate = database.transaction(() => {
    const version = schemaVersion(database)
    if (version > STEPS.length) {
      throw new BrokerError(
        'BROKER_STORE_NEWER',
        `The broker's tables are of version ${version}, this is ${STEPS.length}.`,
      )
    }
    if (version === STEPS.length) return
    database.exec(
      'CREATE TABLE IF NOT EXISTS broker_meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID',
    )
    for (const step of STEPS.slice(version)) database.exec(step)
    writeMeta(database, 'schema', STEPS.length)
  })
  migrate.immediate()
}

/** Small facts, one number each; undefined where there is none. */
export function readMeta(database: Database, key: string): number | undefined {
  const value = database.prepare('SELECT value FROM broker_meta WHERE key = ?').pluck().get(key)
  return typeof value === 'number' ? value : undefined
}

export function writeMeta(database: Database, key: string, value: number): void {
  database.prepare('INSERT OR REPLACE INTO broker_meta (key, value) VALUES (?, ?)').run(key, value)
}

function schemaVersion(database: Database): number {
  const there = database.prepare(`SELECT 1 FROM sqlite_master WHERE name = 'broker_meta'`).get()
  return there === undefined ? 0 : (readMeta(database, 'schema') ?? 0)
}
