import type { Epoch, GatewayId, Hash } from '../../../contract/index.ts'
import type { Db } from './open.ts'

export interface StoredEvents {
  readonly first: number
  readonly last: number
  readonly hash: Hash
}

/** The stored batches that hold any number from `first` to `last`. */
export async function eventBatches(
  db: Db,
  stream: { gateway: GatewayId; epoch: Epoch },
  { first, last }: { first: number; last: number },
): Promise<StoredEvents[]> {
  const rows = await db
    .selectFrom('event_batch')
    .select(['first', 'last', 'hash'])
    .where('gateway', '=', stream.gateway)
    .where('epoch', '=', stream.epoch)
    .where('last', '>=', first)
    .where('first', '<=', last)
    .orderBy('first')
    .execute()
  return rows.map((row) => ({ ...row, hash: row.hash as Hash }))
}

export async function insertEvents(
  db: Db,
  row: StoredEvents & { gateway: GatewayId; epoch: Epoch; bytes: Uint8Array; receivedAt: number },
): Promise<void> {
  const { receivedAt, ...rest } = row
  await db
    .insertInto('event_batch')
    .values({ ...rest, received_at: receivedAt })
    .execute()
}
