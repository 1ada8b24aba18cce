import type { Ack, Epoch } from '../../contract/index.ts'
import { isHeld, isOver, openFirst } from '../ledger/index.ts'
import { quarantine, type StreamKey, type StreamPosition } from '../storage/index.ts'
import { compareEvents, postEvents } from './events.ts'
import { behind, bookLost, type Lost, lostBefore } from './lost.ts'
import type { Delivery } from './open.ts'
import { compareBatch, postReadings } from './readings.ts'
import type { Answer, Posting } from './posting.ts'
import type { Fault, Stored } from './verdict.ts'

/** Refused messages kept for the operator's eyes, a gateway. */
export const QUARANTINE_KEPT_MAX = 200

/**
 * Posts one batch exactly once (metering.md, Upload and acknowledgement): what is posted must be the same bytes and is
 * left alone; what follows is appended; what comes too early is asked for; what contradicts is kept apart. The caller
 * commits, and only then may the answer be sent. Undefined = an epoch nobody announced: no answer, so that the gateway
 * connects again and announces it, instead of leaving an epoch that may be sound.
 */
export async function post(posting: Posting, delivery: Delivery): Promise<Answer | undefined> {
  const { streams } = posting
  const { gateway, what: stream } = delivery
  const key: StreamKey = { gateway, stream, epoch: delivery.batch.epoch as Epoch }
  const position = streams.find(key) ?? openFirst(streams, key)
  if (position === undefined) return undefined
  const { first, last } = rangeOf(delivery)
  const lost = first > position.upTo + 1 ? await lostBefore(posting, delivery, position) : undefined
  if (first > position.upTo + 1 && first !== (lost?.last ?? 0) + 1) return tooEarly(position, first, lost)
  if (first <= position.upTo) {
    const known = await isKnown(posting, delivery, { first, last: Math.min(last, position.upTo) })
    if (!known) return refuse(posting, { delivery, position, because: 'conflict', isFork: true })
  }
  if (last <= position.upTo) return answer(position, 'ok')
  return append(posting, delivery, { position, lost })
}

/** What is not posted yet. */
async function append(
  posting: Posting,
  delivery: Delivery,
  { position, lost }: { position: StreamPosition; lost: Lost | undefined },
): Promise<Answer> {
  const { streams } = posting
  const { last } = rangeOf(delivery)
  if (isOver(streams, position)) return refuse(posting, { delivery, position, because: 'fork', isFork: true })
  // Beyond a fork of an epoch before: nothing is refused and nothing posted, the gateway keeps it (decisions.md).
  if (isHeld(streams, position)) return answer(position, 'hold')
  const before = lost === undefined ? position : behind(position, delivery, lost)
  const stored = await store(posting, delivery, before)
  if (!stored.ok) {
    return refuse(posting, { delivery, position, because: stored.because, isFork: stored.because === 'fork' })
  }
  if (lost !== undefined) await bookLost(posting, before, lost)
  streams.advance(position, { upTo: last, hash: stored.head })
  return { ...answer(position, 'ok'), upTo: last, hash: stored.head }
}

/** Asks for what follows, or, where the gateway has that no more, for the first that it has. */
function tooEarly(position: StreamPosition, first: number, lost: Lost | undefined): Answer {
  const from = lost !== undefined && first > lost.last ? lost.last : position.upTo
  return { ...answer(position, 'gap'), want: from + 1 }
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

async function isKnown(
  { db, usage }: Posting,
  delivery: Delivery,
  range: { first: number; last: number },
): Promise<boolean> {
  switch (delivery.what) {
    case 'usage':
      return usage.has(delivery.batch, range)
    case 'rd':
    case 'rd/h':
      return compareBatch(db, delivery)
    case 'evt':
      return compareEvents(db, delivery, range)
  }
}

async function store(
  { db, usage, now }: Posting,
  delivery: Delivery,
  position: StreamPosition,
): Promise<Stored> {
  switch (delivery.what) {
    case 'usage':
      return usage.post(delivery, position)
    case 'rd':
    case 'rd/h':
      return postReadings(db, { delivery, position, now })
    case 'evt':
      return postEvents(db, { delivery, position, now })
  }
}

/** Kept apart, never posted; beyond a fork nothing is posted until an operator resolves it (decisions.md). */
async function refuse(
  { db, streams, now }: Posting,
  refused: { delivery: Delivery; position: StreamPosition; because: Fault; isFork: boolean },
): Promise<Answer> {
  const { delivery, position, because, isFork } = refused
  const { gateway, stream, epoch } = position
  const { hash, body } = delivery
  await quarantine(
    db,
    { gateway, stream, epoch, reason: because, hash, bytes: body, at: now },
    QUARANTINE_KEPT_MAX,
  )
  // Two histories under the same numbers: of usage neither goes on, of readings only one that does not follow stops.
  if (isFork && position.state === 'open' && (because === 'fork' || stream === 'usage')) {
    streams.mark(position, 'forked')
  }
  return answer(position, because)
}
