import type { Epoch, GatewayId, Hash } from '../../../contract/index.ts'
import type { Db } from './open.ts'

/** An operator's word on a fork of usage, or on an epoch that could not be judged, and where the epoch stood then. */
export interface StoredResolution {
  readonly gateway: GatewayId
  readonly epoch: Epoch
  readonly verdict: 'resume' | 'close' | 'adopt'
  readonly by: string
  readonly reason: string
  readonly upTo: number
  readonly head: Hash
  /** Epoch ms. */
  readonly at: number
}

/** Appends. */
export async function recordResolution(db: Db, resolution: StoredResolution): Promise<void> {
  const { by: decided_by, upTo: up_to, ...rest } = resolution
  await db
    .insertInto('fork_resolution')
    .values({ ...rest, decided_by, up_to })
    .execute()
}

/** Every word ever given on a gateway's forks, in order. */
export async function resolutionsOf(db: Db, gateway: GatewayId): Promise<StoredResolution[]> {
  const rows = await db
    .selectFrom('fork_resolution')
    .selectAll()
    .where('gateway', '=', gateway)
    .orderBy('id')
    .execute()
  return rows.map(({ epoch, head, decided_by: by, up_to: upTo, verdict, reason, at }) => ({
    ...{ gateway, verdict, by, reason, upTo, at },
    epoch: epoch as Epoch,
    head: head as Hash,
  }))
}

/** Usage that waits for an operator: every forked epoch. */
export async function forkedStreams(
  db: Db,
): Promise<{ gateway: GatewayId; epoch: Epoch; upTo: number; head: Hash }[]> {
  const rows = await db
    .selectFrom('stream')
    .select(['gateway', 'epoch', 'up_to', 'head'])
    .where('stream', '=', 'usage')
    .where('state', '=', 'forked')
    .orderBy('gateway')
    .orderBy('epoch')
    .execute()
  return rows.map(({ gateway, epoch, up_to: upTo, head }) => ({
    gateway: gateway as GatewayId,
    epoch: epoch as Epoch,
    upTo,
    head: head as Hash,
  }))
}
