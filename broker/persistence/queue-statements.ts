import type { Database, Statement } from 'better-sqlite3'

/** Of each session the size of its queue. */
export const SIZES = `
  SELECT session, count(*) AS count, sum(bytes) AS bytes,
    max(seq) AS last, max(at) FILTER (WHERE typeof(at) = 'integer') AS at
  FROM broker_queue WHERE typeof(seq) = 'integer' GROUP BY session`

export const UNNUMBERED = `FROM broker_queue WHERE typeof(seq) <> 'integer'`

const COUNTED = `
  SELECT message, count(*) AS refs FROM broker_queue WHERE message IS NOT NULL GROUP BY message`

export const MISCOUNTED = `
  SELECT 1 FROM broker_message m FULL JOIN (${COUNTED}) q ON q.message = m.id WHERE m.refs IS NOT q.refs LIMIT 1`

export const RECOUNT = `
  DELETE FROM broker_queue WHERE message IS NOT NULL AND message NOT IN (SELECT id FROM broker_message);
  UPDATE broker_message SET refs = (SELECT refs FROM (${COUNTED}) q WHERE q.message = id)
    WHERE id IN (SELECT message FROM broker_queue);
  DELETE FROM broker_message WHERE id NOT IN (SELECT message FROM broker_queue WHERE message IS NOT NULL);`

const IN_RANGE = `
  SELECT message FROM broker_queue WHERE session = ? AND seq BETWEEN ? AND ? AND message IS NOT NULL`

/** The statements of the queues. */
export interface QueueStatements {
  readonly insert: Statement
  readonly insertMessage: Statement
  readonly unref: Statement
  readonly sweep: Statement
  readonly remove: Statement
  readonly clear: Statement
  readonly release: Statement
  readonly amend: Statement
  readonly page: Statement
  readonly bare: Statement
}

export const prepareQueue = (database: Database): QueueStatements => ({
  insert: database.prepare('INSERT OR REPLACE INTO broker_queue VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)'),
  insertMessage: database.prepare('INSERT OR REPLACE INTO broker_message VALUES (?, ?, ?, ?)'),
  unref: database.prepare(`UPDATE broker_message SET refs = refs - 1 WHERE id IN (${IN_RANGE})`),
  sweep: database.prepare(`DELETE FROM broker_message WHERE refs <= 0 AND id IN (${IN_RANGE})`),
  remove: database.prepare('DELETE FROM broker_queue WHERE session = ? AND seq BETWEEN ? AND ?'),
  clear: database.prepare('DELETE FROM broker_queue WHERE session = ?'),
  release: database.prepare('UPDATE broker_queue SET released = 1 WHERE session = ? AND seq = ?'),
  amend: database.prepare('UPDATE broker_queue SET extra = ? WHERE session = ? AND seq = ?'),
  page: database.prepare(`
    SELECT q.seq, q.qos, q.retain, q.released, q.extra,
      ifnull(q.topic, m.topic) AS topic, ifnull(q.payload, m.payload) AS payload
    FROM broker_queue q LEFT JOIN broker_message m ON m.id = q.message
    WHERE q.session = ? AND q.seq > ? ORDER BY q.seq`),
  bare: database.prepare(
    'SELECT seq, bytes, at, released FROM broker_queue WHERE session = ? AND seq > ? ORDER BY seq',
  ),
})
