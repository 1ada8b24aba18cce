import { bookLoss, type StreamPosition, toldLoss } from '../storage/index.ts'
import type { Delivery } from './open.ts'
import type { Posting } from './posting.ts'

/** Numbers that the gateway has said it has no more, right behind where the ledger stands. */
export interface Lost {
  readonly first: number
  readonly last: number
}

/** For a batch that comes too early; undefined where the gateway has said nothing of the kind. */
export async function lostBefore(
  { db }: Posting,
  { what }: Delivery,
  { gateway, epoch, upTo }: StreamPosition,
): Promise<Lost | undefined> {
  if (what !== 'usage') return undefined
  const last = await toldLoss(db, { gateway, epoch, first: upTo + 1 })
  return last === undefined ? undefined : { first: upTo + 1, last }
}

/** Where the ledger stands behind the loss: the first record after it says how the chain went on. */
export function behind(position: StreamPosition, delivery: Delivery, { last }: Lost): StreamPosition {
  const [first] = delivery.what === 'usage' ? delivery.batch.records : []
  return { ...position, upTo: last, head: first?.record.prev ?? position.head }
}

/**
 * The ledger goes on behind the loss. Registers only grow, so what was used meanwhile is in the ends of the record after
 * it, and on its day; of a register that nothing names any more it is lost.
 */
export async function bookLost(
  posting: Posting,
  { gateway, epoch, head: prev }: StreamPosition,
  lost: Lost,
): Promise<void> {
  await bookLoss(posting.db, { gateway, epoch, first: lost.first, prev, bookedAt: posting.now })
  posting.lost.push({ gateway, epoch, ...lost })
}
