import type { ColumnType, Generated, Insertable, Selectable } from 'kysely'

/** 64 bits: read as text (`cast(… as text)`), because a JavaScript number is exact up to 2^53 only. */
type Int64 = ColumnType<never, bigint, bigint>

/** Times are epoch milliseconds; counts and quantities are whole numbers; hashes are lower-case hex. */
export interface Schema {
  schema_version: { version: number; at: number }
  gateway_state: {
    gateway: string
    online: number
    boot_id: string | null
    sw: string | null
    policy: number
    policy_generation: number
    last_seen_at: number
  }
  stream: StreamTable
  usage_record: UsageRecordTable
  usage_posting: UsagePostingTable
  usage_register: UsageRegisterTable
  usage_day_assign: { gateway: string; epoch: string; corrects: number; day: string; seq: number }
  reading_channel: ReadingChannelTable
  reading_batch: {
    gateway: string
    epoch: string
    stream: string
    seq: number
    prev: string
    hash: string
    readings: number
    bytes: number
    received_at: number
  }
  reading_chunk: ReadingChunkTable
  event_batch: {
    gateway: string
    epoch: string
    first: number
    last: number
    hash: string
    bytes: Uint8Array
    received_at: number
  }
  quarantine: {
    hash: string
    gateway: string
    stream: string
    epoch: string
    reason: string
    bytes: Uint8Array
    received_at: number
    repeats: number
  }
}

/** One row a stream and epoch: how far the ledger is. `forked` = nothing more is posted until it is resolved. */
interface StreamTable {
  gateway: string
  stream: string
  epoch: string
  parent: string | null
  up_to: number
  head: string
  state: 'open' | 'forked'
  opened_at: number
}

/** Append-only; `bytes` are exactly what the gateway stored, hashed and signed. */
interface UsageRecordTable {
  gateway: string
  epoch: string
  seq: number
  prev: string
  hash: string
  org: string
  kind: string
  day: string | null
  wall_end: number
  bytes: Uint8Array
  received_at: number
}

/** Append-only: what one record added to one register. Totals are sums over these. */
interface UsagePostingTable {
  gateway: string
  epoch: string
  seq: number
  org: string
  day: string | null
  meter: string
  subject: string
  gen: number
  quantity: Int64
  custodian: string | null
  workspace: string | null
  billable: number
  q: number
}

/** Derived from the records: where each register stands. */
interface UsageRegisterTable {
  gateway: string
  epoch: string
  meter: string
  subject: string
  gen: number
  org: string
  end: Int64
  seq: number
}

interface ReadingChannelTable {
  id: Generated<number>
  gateway: string
  epoch: string
  stream: string
  no: number
  device: string
  sensor: string
  channel: string
  unit: string
  resolution: string | null
  derived: number
  org: string
  owner_epoch: number
}

/** The readings of one channel out of one batch, columnar. */
interface ReadingChunkTable {
  id: Generated<number>
  channel_id: number
  seq: number
  from_ms: number
  to_ms: number
  count: number
  data: Uint8Array
}

export type StreamRow = Selectable<StreamTable>
export type UsageRecordRow = Selectable<UsageRecordTable>
export type NewPosting = Insertable<UsagePostingTable>
export type NewRegister = Insertable<UsageRegisterTable>
export type NewUsageRecord = Insertable<UsageRecordTable>
export type ReadingChannelRow = Selectable<ReadingChannelTable>
export type ReadingChunkRow = Selectable<ReadingChunkTable>
export type NewChunk = Insertable<ReadingChunkTable>
