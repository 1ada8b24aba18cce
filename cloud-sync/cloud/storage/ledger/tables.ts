import type { Generated, Insertable, Selectable } from 'kysely'
import {
  bytes,
  type Column,
  exact,
  maybe,
  type RowOf,
  type SchemaOf,
  type Tables,
  text,
  whole,
} from '../relational/index.ts'

/** Counts up by itself; an insert leaves it out. */
const numbered = (): Column<Generated<number>> => ({ holds: 'serial', nullable: false })
const ofStream = { gateway: text(), epoch: text() }

/**
 * The ledger's tables. Times are epoch milliseconds, hashes lower-case hex; `month` is that of the receipt in UTC
 * (202611), by which PostgreSQL keeps the large tables apart.
 */
export const LEDGER_TABLES = {
  gateway_state: {
    columns: {
      gateway: text(),
      online: whole(),
      boot_id: maybe(text()),
      sw: maybe(text()),
      policy: whole(),
      policy_generation: whole(),
      last_seen_at: whole(),
    },
    key: ['gateway'],
  },
  /**
   * One row a stream and epoch: how far the ledger is. `forked`: neither it nor what descends from it is posted until
   * it is resolved. `closed`: resolved so that it ends where it stands.
   */
  stream: {
    columns: {
      gateway: text(),
      stream: text(),
      epoch: text(),
      parent: maybe(text()),
      up_to: whole(),
      head: text(),
      state: text<'open' | 'forked' | 'closed'>(),
      opened_at: whole(),
    },
    key: ['gateway', 'stream', 'epoch'],
  },
  /** Append-only; `bytes` are exactly what the gateway stored, hashed and signed. */
  usage_record: {
    columns: {
      ...ofStream,
      seq: whole(),
      month: whole(),
      prev: text(),
      hash: text(),
      org: text(),
      kind: text(),
      day: maybe(text()),
      wall_end: whole(),
      network: maybe(text()),
      bytes: bytes(),
      received_at: whole(),
      /** Turn of the transaction that posted it (turns.ts). */
      posted: whole(),
    },
    key: ['gateway', 'epoch', 'seq'],
    indexes: [['org', 'day']],
  },
  /** Append-only: what one record added to one register; whose and which day is the record's to say. */
  usage_posting: {
    columns: {
      ...ofStream,
      seq: whole(),
      month: whole(),
      meter: text(),
      subject: text(),
      gen: whole(),
      quantity: exact(),
      custodian: maybe(text()),
      workspace: maybe(text()),
      billable: whole(),
      q: whole(),
    },
    key: ['gateway', 'epoch', 'seq', 'meter', 'subject', 'gen'],
  },
  /** Append-only evidence: each message that brought records, signed as it came, by the last of them. */
  usage_batch: {
    columns: {
      ...ofStream,
      first: whole(),
      last: whole(),
      month: whole(),
      key_id: text(),
      message: bytes(),
      received_at: whole(),
    },
    key: ['gateway', 'epoch', 'last'],
  },
  /**
   * Derived from the records: where the registers of one subject and generation stand, as a JSON list by meter of
   * [meter, organisation it last counted for, end as text, number of the record that said so].
   */
  usage_register: {
    columns: { ...ofStream, subject: text(), gen: whole(), stands: text() },
    key: ['gateway', 'epoch', 'subject', 'gen'],
  },
  /**
   * Append-only: the record `epoch`/`seq` says which day the stretch `share_from` to `share_to` (of `share_of`) of the
   * undated record `of_epoch`/`corrects` belongs to.
   */
  usage_day_assign: {
    columns: {
      ...ofStream,
      seq: whole(),
      of_epoch: text(),
      corrects: whole(),
      day: text(),
      share_from: whole(),
      share_to: whole(),
      share_of: whole(),
      received_at: whole(),
      /** As of the record that said it. */
      posted: whole(),
    },
    key: ['gateway', 'epoch', 'seq'],
    indexes: [['gateway', 'of_epoch', 'corrects']],
  },
  /** Append-only: an operator's word on a fork, and where the stream stood then. */
  fork_resolution: {
    columns: {
      id: numbered(),
      ...ofStream,
      verdict: text<'resume' | 'close' | 'adopt'>(),
      decided_by: text(),
      reason: text(),
      up_to: whole(),
      head: text(),
      at: whole(),
    },
    key: ['id'],
    indexes: [['gateway', 'epoch']],
  },
  /**
   * Epochs that a gateway announced and that did not open: the operator decides. `usage_epoch` is the one it announced
   * for its usage at the same time, so that the streams of one box are known to be of one box. `refused`: the operator
   * has said that it is not the true gateway's.
   */
  held_epoch: {
    columns: {
      ...ofStream,
      stream: text(),
      parent: maybe(text()),
      usage_epoch: maybe(text()),
      because: text<'second-child' | 'unknown-parent' | 'after-fork'>(),
      state: text<'waiting' | 'refused'>(),
      first_at: whole(),
      last_at: whole(),
    },
    key: ['gateway', 'stream', 'epoch'],
  },
  /**
   * Usage that the ledger had and its gateway has no more: a backup was put back. `first` to `last` of the epoch are
   * missing; `prev` is the hash of the last of them as the record after it names it, null until that came. From then on
   * a row stays as it is.
   */
  usage_loss: {
    columns: {
      ...ofStream,
      first: whole(),
      last: whole(),
      prev: maybe(text()),
      told_at: whole(),
      booked_at: maybe(whole()),
    },
    key: ['gateway', 'epoch', 'first'],
  },
  reading_channel: {
    columns: {
      id: numbered(),
      ...ofStream,
      stream: text(),
      no: whole(),
      device: text(),
      sensor: text(),
      channel: text(),
      unit: text(),
      resolution: maybe(text()),
      derived: whole(),
      org: text(),
      owner_epoch: whole(),
    },
    key: ['id'],
    unique: [['gateway', 'epoch', 'stream', 'no']],
    indexes: [['org', 'device', 'sensor', 'channel']],
  },
  reading_batch: {
    columns: {
      ...ofStream,
      stream: text(),
      seq: whole(),
      prev: text(),
      hash: text(),
      readings: whole(),
      bytes: whole(),
      received_at: whole(),
    },
    key: ['gateway', 'epoch', 'stream', 'seq'],
  },
  /** The readings of one channel out of one batch, columnar. */
  reading_chunk: {
    columns: {
      id: numbered(),
      channel_id: whole(),
      seq: whole(),
      from_ms: whole(),
      to_ms: whole(),
      count: whole(),
      data: bytes(),
    },
    key: ['id'],
    indexes: [
      ['channel_id', 'to_ms', 'from_ms'],
      ['channel_id', 'seq'],
    ],
  },
  event_batch: {
    columns: {
      ...ofStream,
      first: whole(),
      last: whole(),
      hash: text(),
      bytes: bytes(),
      received_at: whole(),
    },
    key: ['gateway', 'epoch', 'first'],
  },
  /** What was refused, for the operator's eyes. */
  quarantine: {
    columns: {
      hash: text(),
      ...ofStream,
      stream: text(),
      reason: text(),
      bytes: bytes(),
      received_at: whole(),
      repeats: whole(),
    },
    key: ['hash'],
    indexes: [['gateway']],
  },
} as const satisfies Tables

export type LedgerSchema = SchemaOf<typeof LEDGER_TABLES>
type LedgerTable = keyof typeof LEDGER_TABLES
type Row<T extends LedgerTable> = RowOf<(typeof LEDGER_TABLES)[T]>

export type StreamRow = Selectable<Row<'stream'>>
export type UsageRecordRow = Selectable<Row<'usage_record'>>
export type NewPosting = Insertable<Row<'usage_posting'>>
export type NewRegister = Insertable<Row<'usage_register'>>
export type NewUsageRecord = Insertable<Row<'usage_record'>>
export type NewUsageBatch = Insertable<Row<'usage_batch'>>
export type NewDayAssign = Insertable<Row<'usage_day_assign'>>
export type ReadingChannelRow = Selectable<Row<'reading_channel'>>
export type ReadingChunkRow = Selectable<Row<'reading_chunk'>>
export type NewChunk = Insertable<Row<'reading_chunk'>>
