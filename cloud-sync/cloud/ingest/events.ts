import type { Epoch } from '../../contract/index.ts'
import { type Db, eventBatches, insertEvents, type StreamPosition } from '../storage/index.ts'
import type { Delivery } from './open.ts'
import type { Stored } from './verdict.ts'

type EventDelivery = Extract<Delivery, { what: 'evt' }>

/** A batch is resent byte-identical, so what is posted is exactly this batch or something else. */
export async function compareEvents(
  db: Db,
  delivery: EventDelivery,
  range: { first: number; last: number },
): Promise<boolean> {
  const { gateway, batch, hash } = delivery
  const known = await eventBatches(db, { gateway, epoch: batch.epoch }, range)
  return known.length === 1 && known[0]?.hash === hash
}

export async function postEvents(
  db: Db,
  { delivery, position, now }: { delivery: EventDelivery; position: StreamPosition; now: number },
): Promise<Stored> {
  const { gateway, batch, body, hash } = delivery
  const { first, events } = batch
  const last = first + events.length - 1
  const epoch: Epoch = position.epoch
  await insertEvents(db, { gateway, epoch, first, last, hash, bytes: body, receivedAt: now })
  return { ok: true, head: hash }
}
