import { type Kysely, sql, type Transaction } from 'kysely'
import type { Schema } from './schema.ts'

type Step = (db: Transaction<Schema>) => Promise<void>

const gateways: Step = async (db) => {
  await db.schema
    .createTable('gateway_state')
    .addColumn('gateway', 'text', (c) => c.primaryKey())
    .addColumn('online', 'integer', (c) => c.notNull())
    .addColumn('boot_id', 'text')
    .addColumn('sw', 'text')
    .addColumn('policy', 'integer', (c) => c.notNull())
    .addColumn('policy_generation', 'integer', (c) => c.notNull())
    .addColumn('last_seen_at', 'bigint', (c) => c.notNull())
    .execute()
}

const streams: Step = async (db) => {
  await db.schema
    .createTable('stream')
    .addColumn('gateway', 'text', (c) => c.notNull())
    .addColumn('stream', 'text', (c) => c.notNull())
    .addColumn('epoch', 'text', (c) => c.notNull())
    .addColumn('parent', 'text')
    .addColumn('up_to', 'bigint', (c) => c.notNull())
    .addColumn('head', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('opened_at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('stream_pk', ['gateway', 'stream', 'epoch'])
    .execute()
  await db.schema
    .createTable('event_batch')
    .addColumn('gateway', 'text', (c) => c.notNull())
    .addColumn('epoch', 'text', (c) => c.notNull())
    .addColumn('first', 'bigint', (c) => c.notNull())
    .addColumn('last', 'bigint', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .addColumn('bytes', 'blob', (c) => c.notNull())
    .addColumn('received_at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('event_batch_pk', ['gateway', 'epoch', 'first'])
    .execute()
  await db.schema
    .createTable('quarantine')
    .addColumn('hash', 'text', (c) => c.primaryKey())
    .addColumn('gateway', 'text', (c) => c.notNull())
    .addColumn('stream', 'text', (c) => c.notNull())
    .addColumn('epoch', 'text', (c) => c.notNull())
    .addColumn('reason', 'text', (c) => c.notNull())
    .addColumn('bytes', 'blob', (c) => c.notNull())
    .addColumn('received_at', 'bigint', (c) => c.notNull())
    .addColumn('repeats', 'integer', (c) => c.notNull())
    .execute()
  await db.schema.createIndex('quarantine_gateway').on('quarantine').column('gateway').execute()
}

const usage: Step = async (db) => {
  await db.schema
    .createTable('usage_record')
    .addColumn('gateway', 'text', (c) => c.notNull())
    .addColumn('epoch', 'text', (c) => c.notNull())
    .addColumn('seq', 'bigint', (c) => c.notNull())
    .addColumn('prev', 'text', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .addColumn('org', 'text', (c) => c.notNull())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('day', 'text')
    .addColumn('wall_end', 'bigint', (c) => c.notNull())
    .addColumn('bytes', 'blob', (c) => c.notNull())
    .addColumn('received_at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('usage_record_pk', ['gateway', 'epoch', 'seq'])
    .execute()
  await db.schema
    .createTable('usage_posting')
    .addColumn('gateway', 'text', (c) => c.notNull())
    .addColumn('epoch', 'text', (c) => c.notNull())
    .addColumn('seq', 'bigint', (c) => c.notNull())
    .addColumn('org', 'text', (c) => c.notNull())
    .addColumn('day', 'text')
    .addColumn('meter', 'text', (c) => c.notNull())
    .addColumn('subject', 'text', (c) => c.notNull())
    .addColumn('gen', 'integer', (c) => c.notNull())
    .addColumn('quantity', 'bigint', (c) => c.notNull())
    .addColumn('custodian', 'text')
    .addColumn('workspace', 'text')
    .addColumn('billable', 'integer', (c) => c.notNull())
    .addColumn('q', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('usage_posting_pk', ['gateway', 'epoch', 'seq', 'meter', 'subject', 'gen'])
    .execute()
  await db.schema.createIndex('usage_posting_org').on('usage_posting').columns(['org', 'day']).execute()
  await db.schema
    .createTable('usage_register')
    .addColumn('gateway', 'text', (c) => c.notNull())
    .addColumn('epoch', 'text', (c) => c.notNull())
    .addColumn('meter', 'text', (c) => c.notNull())
    .addColumn('subject', 'text', (c) => c.notNull())
    .addColumn('gen', 'integer', (c) => c.notNull())
    .addColumn('org', 'text', (c) => c.notNull())
    .addColumn('end', 'bigint', (c) => c.notNull())
    .addColumn('seq', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('usage_register_pk', ['gateway', 'epoch', 'meter', 'subject', 'gen'])
    .execute()
  await db.schema
    .createTable('usage_day_assign')
    .addColumn('gateway', 'text', (c) => c.notNull())
    .addColumn('epoch', 'text', (c) => c.notNull())
    .addColumn('corrects', 'bigint', (c) => c.notNull())
    .addColumn('day', 'text', (c) => c.notNull())
    .addColumn('seq', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('usage_day_assign_pk', ['gateway', 'epoch', 'corrects'])
    .execute()
}

const readings: Step = async (db) => {
  await db.schema
    .createTable('reading_channel')
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('gateway', 'text', (c) => c.notNull())
    .addColumn('epoch', 'text', (c) => c.notNull())
    .addColumn('stream', 'text', (c) => c.notNull())
    .addColumn('no', 'integer', (c) => c.notNull())
    .addColumn('device', 'text', (c) => c.notNull())
    .addColumn('sensor', 'text', (c) => c.notNull())
    .addColumn('channel', 'text', (c) => c.notNull())
    .addColumn('unit', 'text', (c) => c.notNull())
    .addColumn('resolution', 'text')
    .addColumn('derived', 'integer', (c) => c.notNull())
    .addColumn('org', 'text', (c) => c.notNull())
    .addColumn('owner_epoch', 'integer', (c) => c.notNull())
    .addUniqueConstraint('reading_channel_no', ['gateway', 'epoch', 'stream', 'no'])
    .execute()
  await db.schema
    .createIndex('reading_channel_org')
    .on('reading_channel')
    .columns(['org', 'device', 'sensor', 'channel'])
    .execute()
  await db.schema
    .createTable('reading_batch')
    .addColumn('gateway', 'text', (c) => c.notNull())
    .addColumn('epoch', 'text', (c) => c.notNull())
    .addColumn('stream', 'text', (c) => c.notNull())
    .addColumn('seq', 'bigint', (c) => c.notNull())
    .addColumn('prev', 'text', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .addColumn('readings', 'integer', (c) => c.notNull())
    .addColumn('bytes', 'integer', (c) => c.notNull())
    .addColumn('received_at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('reading_batch_pk', ['gateway', 'epoch', 'stream', 'seq'])
    .execute()
  await db.schema
    .createTable('reading_chunk')
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('channel_id', 'integer', (c) => c.notNull())
    .addColumn('seq', 'bigint', (c) => c.notNull())
    .addColumn('from_ms', 'bigint', (c) => c.notNull())
    .addColumn('to_ms', 'bigint', (c) => c.notNull())
    .addColumn('count', 'integer', (c) => c.notNull())
    .addColumn('data', 'blob', (c) => c.notNull())
    .execute()
  await db.schema
    .createIndex('reading_chunk_time')
    .on('reading_chunk')
    .columns(['channel_id', 'to_ms', 'from_ms'])
    .execute()
  await db.schema
    .createIndex('reading_chunk_seq')
    .on('reading_chunk')
    .columns(['channel_id', 'seq'])
    .execute()
}

/** Facts are never changed: on PostgreSQL this is REVOKE UPDATE, DELETE; on SQLite a trigger says the same. */
const appendOnly: Step = async (db) => {
  for (const table of ['usage_record', 'usage_posting', 'event_batch', 'reading_batch']) {
    for (const change of ['update', 'delete']) {
      await sql`create trigger ${sql.id(`${table}_no_${change}`)} before ${sql.raw(change)} on ${sql.table(table)}
        begin select raise(abort, ${sql.lit(`${table} is append-only`)}); end`.execute(db)
    }
  }
}

/** One entry a released version of the schema; a released entry is never edited. */
const VERSIONS: readonly (readonly Step[])[] = [[gateways, streams, usage, readings, appendOnly]]

export const SCHEMA_VERSION = VERSIONS.length

/** Brings the schema from version `from` (0 = empty) to `SCHEMA_VERSION` in ONE transaction. */
export async function migrate(db: Kysely<Schema>, from: number, now: number): Promise<void> {
  if (from === SCHEMA_VERSION) return
  await db.transaction().execute(async (trx) => {
    if (from === 0) {
      await trx.schema
        .createTable('schema_version')
        .addColumn('version', 'integer', (c) => c.primaryKey())
        .addColumn('at', 'bigint', (c) => c.notNull())
        .execute()
    }
    for (const [index, steps] of VERSIONS.entries()) {
      if (index < from) continue
      for (const step of steps) await step(trx)
      await trx
        .insertInto('schema_version')
        .values({ version: index + 1, at: now })
        .execute()
    }
  })
}
