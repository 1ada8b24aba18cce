import type { Epoch, GatewayId } from '../../../contract/index.ts'
import type { Db } from './open.ts'

/** Messages read at once. */
const PAGE_BATCHES = 100

/** A message that brought usage records into the ledger, as the gateway signed it. */
export interface UsageMessage {
  readonly gateway: GatewayId
  readonly epoch: Epoch
  /** Numbers of the first and last record in it; messages may overlap, together they cover all that is posted. */
  readonly first: number
  readonly last: number
  /** Id of the gateway's key that signed it. */
  readonly keyId: string
  /** Version, key id, signature and body: kind `usage`, to this cloud. */
  readonly message: Uint8Array
  /** Epoch ms. */
  readonly receivedAt: number
  /** Of the receipt, in UTC: 202611. */
  readonly month: number
}

/** The evidence for one epoch of a gateway's usage, by the last record of each message. */
export async function* batchesOfUsage(
  db: Db,
  { gateway, epoch }: { gateway: GatewayId; epoch: Epoch },
): AsyncGenerator<UsageMessage> {
  for (let after = 0; ; ) {
    const page = await db
      .selectFrom('usage_batch')
      .select(['first', 'last', 'key_id', 'message', 'received_at', 'month'])
      .where('gateway', '=', gateway)
      .where('epoch', '=', epoch)
      .where('last', '>', after)
      .orderBy('last')
      .limit(PAGE_BATCHES)
      .execute()
    for (const { first, last, key_id: keyId, message, received_at: receivedAt, month } of page) {
      yield { gateway, epoch, first, last, keyId, message, receivedAt, month }
    }
    const last = page.at(-1)
    if (last === undefined) return
    after = last.last
  }
}
