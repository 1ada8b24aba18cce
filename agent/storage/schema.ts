import type { Database } from 'better-sqlite3'

/** One step of the schema; steps are only ever appended. */
export type Migration = (database: Database) => void

const sql =
  (text: string): Migration =>
  (database) =>
    void database.exec(text)

/** Position + 1 = `user_version` after the step. A released step is never changed. */
export const MIGRATIONS: readonly Migration[] = [
  sql(`
    CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;

    -- What a channel number stands for; never updated: a new owner, unit or resolution is a new number.
    CREATE TABLE channel (no INTEGER PRIMARY KEY, def TEXT NOT NULL);

    -- One or more rows for each commit, appended, packed away when their hour is past. Ids are never used again; they come
    -- from memory, because AUTOINCREMENT would dirty one page more at every commit. published = the newest window that had been
    -- published before this commit; kept here, it costs no page either.
    CREATE TABLE window (
      id INTEGER PRIMARY KEY, at INTEGER NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,
      count INTEGER NOT NULL, published INTEGER NOT NULL, body BLOB NOT NULL);

    -- Windows first to last, packed per channel. Batched and un-batched windows never share a run.
    CREATE TABLE pack_run (
      first INTEGER PRIMARY KEY, last INTEGER NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,
      count INTEGER NOT NULL, batched INTEGER NOT NULL);
    CREATE TABLE pack (
      run INTEGER NOT NULL, channel INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (run, channel)) WITHOUT ROWID;

    -- What is fixed at a register's birth, and apart from it the narrow rows that every commit touches.
    CREATE TABLE register (
      id INTEGER PRIMARY KEY, meter TEXT NOT NULL, subject TEXT NOT NULL, gen INTEGER NOT NULL, org TEXT NOT NULL,
      owner_epoch INTEGER NOT NULL, custodian TEXT, workspace TEXT, billable INTEGER NOT NULL,
      UNIQUE (meter, subject, gen));
    CREATE TABLE register_value (
      id INTEGER PRIMARY KEY, end INTEGER NOT NULL, reported INTEGER NOT NULL, q INTEGER NOT NULL, day TEXT);
    -- Where a register stood in the last record that the ledger confirmed.
    CREATE TABLE register_confirmed (id INTEGER PRIMARY KEY, end INTEGER NOT NULL);

    -- Bytes as first encoded; never updated but for the acknowledgement.
    CREATE TABLE usage_record (
      epoch TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL, bytes BLOB NOT NULL, made_at INTEGER NOT NULL,
      acked_at INTEGER, PRIMARY KEY (epoch, seq));
    CREATE INDEX usage_acked ON usage_record (acked_at) WHERE acked_at IS NOT NULL;

    -- Exact bodies of made but unacknowledged batches. until = last window in it; defs = channel numbers defined in it.
    CREATE TABLE outbox (
      stream TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, epoch TEXT NOT NULL, hash TEXT NOT NULL,
      readings INTEGER NOT NULL, until INTEGER NOT NULL, defs TEXT NOT NULL, body BLOB NOT NULL,
      PRIMARY KEY (stream, first));
    CREATE TABLE stream (
      name TEXT PRIMARY KEY, epoch TEXT NOT NULL, generation INTEGER NOT NULL, parent TEXT, next INTEGER NOT NULL,
      acked INTEGER NOT NULL, head TEXT NOT NULL) WITHOUT ROWID;
    -- Definitions in an acknowledged batch of the stream's present epoch.
    CREATE TABLE known_def (stream TEXT NOT NULL, no INTEGER NOT NULL, PRIMARY KEY (stream, no)) WITHOUT ROWID;
    -- Ranges of window ids that the back-fill lane still has to send.
    CREATE TABLE backfill (first INTEGER PRIMARY KEY, last INTEGER NOT NULL);

    CREATE TABLE policy (
      id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL, keyset INTEGER NOT NULL, bytes BLOB NOT NULL);
    CREATE TABLE event (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL);
  `),
  sql(`
    -- Changes of the snapshot in the table policy, by the version each leads to; bytes as they were sealed.
    CREATE TABLE policy_change (version INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
  `),
  sql(`
    -- Changes of who may do what that were made here; bytes as first encoded.
    CREATE TABLE access_change (seq INTEGER PRIMARY KEY, state TEXT NOT NULL, body BLOB NOT NULL);
    -- What such a change has disclosed to whom while the cloud had not judged it.
    CREATE TABLE exposure (
      seq INTEGER NOT NULL, principal TEXT NOT NULL, what TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
      count INTEGER NOT NULL, PRIMARY KEY (seq, principal, what)) WITHOUT ROWID;
  `),
  sql(`
    -- Devices (JSON list) whose readings in the windows first to last wait, because their workspace is over its limit; last
    -- NULL = it goes on. sent = windows up to it are in a batch; delivered = on the local broker, NULL = it has caught up.
    CREATE TABLE quota_hold (
      id INTEGER PRIMARY KEY AUTOINCREMENT, devices TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER,
      sent INTEGER NOT NULL, delivered INTEGER);
    -- What was counted before there were limits is used up by nobody.
    INSERT OR IGNORE INTO meta (key, value)
      SELECT 'quota_month', json_object('month', NULL, 'epoch', (SELECT epoch FROM stream WHERE name = 'usage'),
        'ends', json_group_object(CAST(id AS TEXT), CAST(end AS TEXT)))
      FROM register_value HAVING count(*) > 0;
  `),
  sql(`
    -- JSON: the link that what a cellular register has not reported yet was counted on.
    ALTER TABLE register_value ADD COLUMN src TEXT;
    -- JSON: usage records of a time that the gateway did not know, until they are given their days.
    CREATE TABLE usage_undated (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
  `),
  sql(`
    -- What the packs of each channel take, bytes: a day's end asks, and must not read them all.
    CREATE TABLE stored_bytes (channel INTEGER PRIMARY KEY, bytes INTEGER NOT NULL);
    INSERT INTO stored_bytes SELECT channel, sum(length(body)) FROM pack GROUP BY channel;
    CREATE TRIGGER pack_stored AFTER INSERT ON pack BEGIN
      INSERT INTO stored_bytes (channel, bytes) VALUES (new.channel, length(new.body))
        ON CONFLICT (channel) DO UPDATE SET bytes = bytes + excluded.bytes;
    END;
    CREATE TRIGGER pack_dropped AFTER DELETE ON pack BEGIN
      UPDATE stored_bytes SET bytes = bytes - length(old.body) WHERE channel = old.channel;
    END;
  `),
  sql(`
    -- acked_at was the wall clock's; from here on it is running time ever counted, ms. What is confirmed counts from now.
    UPDATE usage_record SET acked_at =
      coalesce((SELECT json_extract(value, '$.runningMs') FROM meta WHERE key = 'policy_time'), 0)
      WHERE acked_at IS NOT NULL;
  `),
  sql(`
    -- JSON: when a sensor was read, while no day was known, since a record named its register.
    ALTER TABLE register_value ADD COLUMN read_at TEXT;
  `),
]

/**
 * Brings the schema from where it is to the newest, all steps in one transaction: killed anywhere, the next start finds
 * the old schema whole and does it again.
 */
export function migrate(database: Database, migrations: readonly Migration[] = MIGRATIONS): void {
  const version = schemaVersion(database)
  if (version >= migrations.length) return
  database
    .transaction(() => {
      for (const step of migrations.slice(version)) step(database)
      database.pragma(`user_version = ${migrations.length}`)
    })
    .immediate()
}

export const schemaVersion = (database: Database): number =>
  Number(database.pragma('user_version', { simple: true }))
