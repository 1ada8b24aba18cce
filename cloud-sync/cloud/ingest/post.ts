import type { Ack, Epoch, Stream } from '../../contract/index.ts'
import {
  advanceStream,
  type Db,
  findStream,
  forkStream,
  openStream,
  quarantine,
  type StreamKey,
  type StreamPosition,
  streamsOf,
} from '../storage/index.ts'
import { compareRecords, postUsage } from '../ledger/index.ts'
import { compareEvents, postEvents } from './events.ts'
import type { Delivery } from './open.ts'
import type { Fault, Stored } from './verdict.ts'
import { compareBatch, postReadings } from './readings.ts'

/** Refused messages kept for the operator's eyes, a gateway. */
const QUARANTINE_KEPT_MAX = 200

/** What is answered; `serverTime` is added when it is sent. */
export type Answer = Omit<Ack, 'serverTime'> & { readonly stream: Stream }

/**
 * Posts one batch exactly once (metering.md, Upload and acknowledgement): what is posted must be the same bytes and is
 * left alone; what follows is appended; what comes too early is asked for; what contradicts is kept apart. The caller
 * commits, and only then may the answer be sent. Undefined = an epoch nobody announced: no answer, so that the gateway
 * connects again and announces it, instead of leaving an epoch that may be sound.
 */
export async function post(db: Db, delivery: Delivery, now: number): Promise<Answer | undefined> {
  const { gateway, what: stream } = delivery
  const key: StreamKey = { gateway, stream, epoch: delivery.batch.epoch as Epoch }
  const position = (await findStream(db, key)) ?? (await openFirst(db, key, now))
  if (position === undefined) return undefined
  const { first, last } = rangeOf(delivery)
  if (first > position.upTo + 1) return { ...answer(position, 'gap'), want: position.upTo + 1 }
  if (first <= position.upTo) {
    const known = await isKnown(db, delivery, { first, last: Math.min(last, position.upTo) })
    if (!known) return refuse(db, { delivery, position, because: 'conflict', now })
  }
  if (last <= position.upTo) return answer(position, 'ok')
  if (position.state === 'forked' || (await isSuperseded(db, key))) {
    return refuse(db, { delivery, position, because: 'fork', now })
  }
  const stored = await store(db, { delivery, position, now })
  if (!stored.ok) return refuse(db, { delivery, position, because: stored.because, now })
  await advanceStream(db, position, { upTo: last, hash: stored.head })
  return { stream, epoch: key.epoch, upTo: last, hash: stored.head, status: 'ok' }
}

/** Where a stream stands, as an answer. */
export function answer(position: StreamPosition, status: Ack['status']): Answer {
  return { stream: position.stream, epoch: position.epoch, upTo: position.upTo, hash: position.head, status }
}

function rangeOf(delivery: Delivery): { first: number; last: number } {
  switch (delivery.what) {
    case 'usage':
      return delivery.batch
    case 'rd':
    case 'rd/h':
      return { first: delivery.batch.seq, last: delivery.batch.seq }
    case 'evt':
      return { first: delivery.batch.first, last: delivery.batch.first + delivery.batch.events.length - 1 }
  }
}

/** Only a gateway's very first epoch opens by itself; every other one is announced with its parent in `up/status`. */
async function openFirst(db: Db, key: StreamKey, now: number): Promise<StreamPosition | undefined> {
  const known = await streamsOf(db, key.gateway)
  if (known.some(({ stream }) => stream === key.stream)) return undefined
  return openStream(db, key, { parent: null, now })
}

/** A child was opened: whatever still comes under the old epoch was made by a copy of the gateway. */
async function isSuperseded(db: Db, key: StreamKey): Promise<boolean> {
  const known = await streamsOf(db, key.gateway)
  return known.some(({ stream, parent }) => stream === key.stream && parent === key.epoch)
}

function isKnown(db: Db, delivery: Delivery, range: { first: number; last: number }): Promise<boolean> {
  switch (delivery.what) {
    case 'usage':
      return compareRecords(db, delivery.batch, range)
    case 'rd':
    case 'rd/h':
      return compareBatch(db, delivery)
    case 'evt':
      return compareEvents(db, delivery, range)
  }
}

function store(
  db: Db,
  { delivery, position, now }: { delivery: Delivery; position: StreamPosition; now: number },
): Promise<Stored> {
  switch (delivery.what) {
    case 'usage': {
      const records = delivery.batch.records.filter(({ record }) => record.seq > position.upTo)
      const { message, keyId, batch } = delivery
      const { first, last } = batch
      return postUsage(db, { position, records, now, signed: { first, last, message, keyId } })
    }
    case 'rd':
    case 'rd/h':
      return postReadings(db, { delivery, position, now })
    case 'evt':
      return postEvents(db, { delivery, position, now })
  }
}

/** Kept apart, never posted; beyond a fork nothing is posted until an operator resolves it (decisions.md). */
async function refuse(
  db: Db,
  refused: { delivery: Delivery; position: StreamPosition; because: Fault; now: number },
): Promise<Answer> {
  const { delivery, position, because, now } = refused
  const { gateway, stream, epoch } = position
  const { hash, body } = delivery
  await quarantine(
    db,
    { gateway, stream, epoch, reason: because, hash, bytes: body, at: now },
    QUARANTINE_KEPT_MAX,
  )
  if (because === 'fork' && position.state === 'open') await forkStream(db, position)
  return answer(position, because)
}
