import type { Epoch, GatewayId, Stream } from '../../../contract/index.ts'
import type { Db } from './open.ts'
import type { StreamKey } from './streams.ts'

/** Epochs kept of one gateway's stream: a box that loses its memory at every start makes ever new ones. */
export const HELD_KEPT_MAX = 20

/**
 * Why an epoch did not open by itself: another one goes on from its parent already, so one of the two is a copy's; its
 * parent was never seen; or it descends from a fork that waits itself.
 */
export type HeldBecause = 'second-child' | 'unknown-parent' | 'after-fork'

/** An epoch that a gateway announced and that waits for the operator's word. */
export interface HeldEpoch extends StreamKey {
  readonly parent: Epoch | null
  /** What it announced for its usage at the same time. */
  readonly usageEpoch: Epoch | null
  readonly because: HeldBecause
}

/** Answers whether it was not known to be held; the newest `HELD_KEPT_MAX` of a stream are kept. */
export async function noteHeld(db: Db, held: HeldEpoch, at: number): Promise<boolean> {
  const { gateway, stream, epoch, parent, usageEpoch: usage_epoch, because } = held
  const known = await heldState(db, held)
  const row = { gateway, stream, epoch, parent, usage_epoch, because, first_at: at, last_at: at }
  await db
    .insertInto('held_epoch')
    .values({ ...row, state: 'waiting' })
    .onConflict((c) =>
      c.columns(['gateway', 'stream', 'epoch']).doUpdateSet({ usage_epoch, because, last_at: at }),
    )
    .execute()
  if (known !== undefined) return false
  await db
    .deleteFrom('held_epoch')
    .where('gateway', '=', gateway)
    .where('stream', '=', stream)
    .where('epoch', 'not in', (q) =>
      q
        .selectFrom('held_epoch')
        .select('epoch')
        .where('gateway', '=', gateway)
        .where('stream', '=', stream)
        .orderBy('last_at', 'desc')
        .orderBy('epoch')
        .limit(HELD_KEPT_MAX),
    )
    .execute()
  return true
}

async function heldState(db: Db, { gateway, stream, epoch }: StreamKey) {
  const found = db.selectFrom('held_epoch').select('state').where('gateway', '=', gateway)
  return (await found.where('stream', '=', stream).where('epoch', '=', epoch).executeTakeFirst())?.state
}

/** The operator's word that it is no true gateway's; answers whether it waited. */
export async function refuseHeld(db: Db, { gateway, stream, epoch }: StreamKey): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('held_epoch')
    .set({ state: 'refused' })
    .where('gateway', '=', gateway)
    .where('stream', '=', stream)
    .where('epoch', '=', epoch)
    .where('state', '=', 'waiting')
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** What the box that announced this usage epoch announced for its other streams, as far as that is held. */
export async function heldBeside(
  db: Db,
  { gateway, usageEpoch }: { gateway: GatewayId; usageEpoch: Epoch },
): Promise<StreamKey[]> {
  const rows = await db
    .selectFrom('held_epoch')
    .select(['stream', 'epoch'])
    .where('gateway', '=', gateway)
    .where('usage_epoch', '=', usageEpoch)
    .where('stream', '!=', 'usage')
    .orderBy('stream')
    .orderBy('last_at')
    .execute()
  return rows.map(({ stream, epoch }) => ({ gateway, stream: stream as Stream, epoch: epoch as Epoch }))
}

/** As it is listed; times are epoch ms. */
export interface WaitingEpoch extends HeldEpoch {
  readonly firstAt: number
  readonly lastAt: number
}

/** Every epoch that waits for the operator and has not opened meanwhile. */
export async function waitingEpochs(db: Db): Promise<WaitingEpoch[]> {
  const rows = await db
    .selectFrom('held_epoch as h')
    .selectAll('h')
    .where('h.state', '=', 'waiting')
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('stream as s')
            .select('s.epoch')
            .whereRef('s.gateway', '=', 'h.gateway')
            .whereRef('s.stream', '=', 'h.stream')
            .whereRef('s.epoch', '=', 'h.epoch'),
        ),
      ),
    )
    .orderBy('h.gateway')
    .orderBy('h.first_at')
    .orderBy('h.stream')
    .orderBy('h.epoch')
    .execute()
  return rows.map(({ gateway, stream, epoch, parent, usage_epoch, because, first_at, last_at }) => ({
    gateway: gateway as GatewayId,
    stream: stream as Stream,
    epoch: epoch as Epoch,
    parent: parent as Epoch | null,
    usageEpoch: usage_epoch as Epoch | null,
    because,
    firstAt: first_at,
    lastAt: last_at,
  }))
}
