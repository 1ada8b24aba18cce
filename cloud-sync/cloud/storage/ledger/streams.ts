import { sql } from 'kysely'
import {
  type Ack,
  type Epoch,
  type GatewayId,
  type Hash,
  type Stream,
  ZERO_HASH,
} from '../../../contract/index.ts'
import { dialectOf, insertAll } from '../relational/index.ts'
import type { Db } from './open.ts'
import { LEDGER_TABLES, type StreamRow } from './tables.ts'

/** Names one stream of one gateway's database instance. */
export interface StreamKey {
  readonly gateway: GatewayId
  readonly stream: Stream
  readonly epoch: Epoch
}

/** How far the ledger is in one stream and epoch. */
export interface StreamPosition extends StreamKey {
  readonly parent: Epoch | null
  readonly upTo: number
  readonly head: Hash
  readonly state: StreamRow['state']
  readonly openedAt: number
}

const positionOf = (row: StreamRow): StreamPosition => ({
  gateway: row.gateway as GatewayId,
  stream: row.stream as Stream,
  epoch: row.epoch as Epoch,
  parent: row.parent as Epoch | null,
  upTo: row.up_to,
  head: row.head as Hash,
  state: row.state,
  openedAt: row.opened_at,
})

/** Every stream and epoch of a gateway, oldest first. */
export async function streamsOf(db: Db, gateway: GatewayId): Promise<StreamPosition[]> {
  const rows = await db
    .selectFrom('stream')
    .selectAll()
    .where('gateway', '=', gateway)
    .orderBy('opened_at')
    .orderBy('stream')
    .orderBy('epoch')
    .execute()
  return rows.map(positionOf)
}

/** Streams that nobody else moves before this transaction ends; moved in memory, then written together. */
export interface HeldStreams {
  find(key: StreamKey): StreamPosition | undefined
  /** Every epoch of a gateway's stream, oldest first. */
  epochsOf(key: Pick<StreamKey, 'gateway' | 'stream'>): StreamPosition[]
  /** Opens a stream at nothing; the caller has judged the parent. */
  open(key: StreamKey, parent: Epoch | null): StreamPosition
  advance(key: StreamKey, to: Pick<Ack, 'upTo' | 'hash'>): void
  mark(key: StreamKey, state: StreamPosition['state']): void
  write(): Promise<void>
}

const nameOf = ({ gateway, stream, epoch }: StreamKey): string => `${gateway} ${stream} ${epoch}`

/**
 * Locks the rows of these gateways and of all their streams, in the order of their names, so that any number of workers
 * may have the same ones: each waits for the other, never in a circle, and then sees what the other has posted. SQLite
 * has one writer at a time anyway.
 */
export async function holdStreams(db: Db, gateways: readonly GatewayId[], now: number): Promise<HeldStreams> {
  const sorted = [...new Set(gateways)].sort()
  const locks = dialectOf(db) === 'postgres'
  // A stream that is not there yet cannot be locked: its gateway can.
  if (locks) await holdGateways(db, sorted)
  const rows = await db
    .selectFrom('stream')
    .selectAll()
    .where('gateway', 'in', sorted)
    .orderBy('gateway')
    .orderBy('stream')
    .orderBy('epoch')
    .$if(locks, (query) => query.forUpdate())
    .execute()
  const held = new Map(rows.map(positionOf).map((position) => [nameOf(position), position]))
  const changed = new Set<string>()
  const change = (key: StreamKey, to: Partial<StreamPosition>): void => {
    const before = held.get(nameOf(key))
    if (before === undefined) throw new Error(`no stream ${nameOf(key)}`)
    held.set(nameOf(key), { ...before, ...to })
    changed.add(nameOf(key))
  }
  return {
    find: (key) => held.get(nameOf(key)),
    epochsOf: ({ gateway, stream }) =>
      [...held.values()]
        .filter((position) => position.gateway === gateway && position.stream === stream)
        .sort((a, b) => a.openedAt - b.openedAt || (a.epoch < b.epoch ? -1 : 1)),
    open(key, parent) {
      const start = { parent, upTo: 0, head: ZERO_HASH, state: 'open', openedAt: now } as const
      const position = { gateway: key.gateway, stream: key.stream, epoch: key.epoch, ...start }
      held.set(nameOf(key), position)
      changed.add(nameOf(key))
      return position
    },
    advance(key, { upTo, hash }) {
      change(key, { upTo, head: hash })
    },
    mark(key, state) {
      change(key, { state })
    },
    async write() {
      const rows = [...changed].sort().flatMap((name) => held.get(name) ?? [])
      changed.clear()
      await insertAll(db, STREAMS, rows.map(rowOf))
    },
  }
}

const STREAMS = {
  into: 'stream',
  table: LEDGER_TABLES.stream,
  then: `on conflict (gateway, stream, epoch) do update
    set up_to = excluded.up_to, head = excluded.head, state = excluded.state`,
} as const

const rowOf = ({
  gateway,
  stream,
  epoch,
  parent,
  upTo,
  head,
  state,
  openedAt,
}: StreamPosition): StreamRow => ({
  gateway,
  stream,
  epoch,
  parent,
  up_to: upTo,
  head,
  state,
  opened_at: openedAt,
})

/** A gateway that was never heard of gets its row. */
async function holdGateways(db: Db, sorted: readonly GatewayId[]): Promise<void> {
  const never = { online: 0, boot_id: null, sw: null, policy: 0, policy_generation: 1, last_seen_at: 0 }
  const rows = sorted.map((gateway) => ({ gateway, ...never }))
  const into = { into: 'gateway_state', table: LEDGER_TABLES.gateway_state, then: 'on conflict do nothing' }
  await insertAll(db, into, rows)
  await db
    .selectFrom('gateway_state')
    .select('gateway')
    .where('gateway', 'in', sorted)
    .orderBy('gateway')
    .forUpdate()
    .execute()
}

/** Keeps what was refused for the operator: each message once, the newest `keep` of a gateway. */
export async function quarantine(
  db: Db,
  refused: StreamKey & { reason: string; hash: Hash; bytes: Uint8Array; at: number },
  keep: number,
): Promise<void> {
  const { gateway, stream, epoch, reason, hash, bytes, at } = refused
  const row = { hash, gateway, stream, epoch, reason, bytes, received_at: at, repeats: 0 }
  await db
    .insertInto('quarantine')
    .values(row)
    .onConflict((c) => c.column('hash').doUpdateSet({ repeats: sql`quarantine.repeats + 1` }))
    .execute()
  await db
    .deleteFrom('quarantine')
    .where('gateway', '=', gateway)
    .where('hash', 'not in', (q) =>
      q
        .selectFrom('quarantine')
        .select('hash')
        .where('gateway', '=', gateway)
        .orderBy('received_at', 'desc')
        .orderBy('hash')
        .limit(keep),
    )
    .execute()
}

/** What waits for the operator's eyes. */
export async function quarantined(
  db: Db,
  gateway: GatewayId,
): Promise<{ stream: string; epoch: string; reason: string; hash: string; at: number; repeats: number }[]> {
  return db
    .selectFrom('quarantine')
    .select(['stream', 'epoch', 'reason', 'hash', 'received_at as at', 'repeats'])
    .where('gateway', '=', gateway)
    .orderBy('received_at')
    .orderBy('hash')
    .execute()
}
