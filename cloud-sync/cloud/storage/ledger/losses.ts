import type { Epoch, GatewayId, Hash } from '../../../contract/index.ts'
import type { Db } from './open.ts'

interface OfStream {
  readonly gateway: GatewayId
  readonly epoch: Epoch
}

/** Records that neither the ledger nor its gateway has any more. */
export interface UsageLoss extends OfStream {
  readonly first: number
  readonly last: number
  /** Hash of the last of them, as the record after it names it. */
  readonly prev: Hash
  /** When the records after it were taken, epoch ms. */
  readonly bookedAt: number
}

/** The gateway says that `last + 1` is the first that it still has; nothing is booked before that has come. */
export async function tellLoss(
  db: Db,
  { gateway, epoch, first, last, now }: OfStream & { first: number; last: number; now: number },
): Promise<void> {
  await db
    .insertInto('usage_loss')
    .values({ gateway, epoch, first, last, prev: null, told_at: now, booked_at: null })
    .onConflict((c) =>
      c
        .columns(['gateway', 'epoch', 'first'])
        .doUpdateSet({ last, told_at: now })
        .where('usage_loss.prev', 'is', null),
    )
    .execute()
}

/** The last number that the gateway said it has no more, where the ledger wants `first`. */
export async function toldLoss(
  db: Db,
  { gateway, epoch, first }: OfStream & { first: number },
): Promise<number | undefined> {
  const row = await db
    .selectFrom('usage_loss')
    .select('last')
    .where('gateway', '=', gateway)
    .where('epoch', '=', epoch)
    .where('first', '=', first)
    .where('prev', 'is', null)
    .executeTakeFirst()
  return row?.last
}

/** From here on the ledger goes on behind it. */
export async function bookLoss(db: Db, { gateway, epoch, first, prev, bookedAt }: Omit<UsageLoss, 'last'>) {
  await db
    .updateTable('usage_loss')
    .set({ prev, booked_at: bookedAt })
    .where('gateway', '=', gateway)
    .where('epoch', '=', epoch)
    .where('first', '=', first)
    .where('prev', 'is', null)
    .execute()
}

/** Booked ones of a gateway in order, or of all of them. */
export async function lossesOf(db: Db, of: Partial<OfStream> = {}): Promise<UsageLoss[]> {
  const { gateway, epoch } = of
  const rows = await db
    .selectFrom('usage_loss')
    .selectAll()
    .where('prev', 'is not', null)
    .$if(gateway !== undefined, (query) => query.where('gateway', '=', gateway ?? ''))
    .$if(epoch !== undefined, (query) => query.where('epoch', '=', epoch ?? ''))
    .orderBy('gateway')
    .orderBy('epoch')
    .orderBy('first')
    .execute()
  return rows.map(({ first, last, booked_at, ...row }) => ({
    gateway: row.gateway as GatewayId,
    epoch: row.epoch as Epoch,
    first,
    last,
    prev: row.prev as Hash,
    bookedAt: booked_at ?? 0,
  }))
}
