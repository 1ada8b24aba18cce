import { type Epoch, type GatewayId, type Stream, ZERO_HASH } from '../../contract/index.ts'
import {
  type CloudDatabase,
  type Db,
  heldBeside,
  holdStreams,
  recordResolution,
  refuseHeld,
  type StreamKey,
} from '../storage/index.ts'
import { type Adoption, adoptEpoch } from './epochs.ts'

/**
 * `resume`: what is posted is true and goes on where it stands. `close`: it ends there; the gateway goes on under the
 * next epoch that names it as its parent. Either way what was kept apart is never posted. An epoch that waits, and was
 * never opened, can be closed only: it is no true gateway's, and listed no more.
 */
export type ForkVerdict = 'resume' | 'close'

interface Word {
  /** Who decided. */
  readonly by: string
  readonly reason: string
  /** Epoch ms. */
  readonly now: number
}

export interface ForkResolution extends Word {
  readonly gateway: GatewayId
  readonly epoch: Epoch
  readonly verdict: ForkVerdict
}

/** `has-child`: another epoch goes on from there already, so that this one can only be closed. */
export type ForkOutcome = 'resolved' | 'unknown' | 'not-forked' | 'has-child'

/**
 * Ends a fork of a gateway's usage by an operator's word, kept for ever beside the records; until then neither the
 * forked epoch nor what descends from it is posted. The gateway hears of it when it next connects.
 */
export function resolveFork(db: CloudDatabase, resolution: ForkResolution): Promise<ForkOutcome> {
  const { gateway, epoch, verdict, by, reason, now } = resolution
  return db.transaction(async (tx) => {
    const streams = await holdStreams(tx, [gateway], now)
    const key = { gateway, stream: 'usage', epoch } as const
    const position = streams.find(key)
    if (position === undefined) return verdict === 'close' ? refused(tx, resolution) : 'unknown'
    if (position.state !== 'forked') return 'not-forked'
    const hasChild = streams.epochsOf(key).some(({ parent }) => parent === epoch)
    if (hasChild && verdict === 'resume') return 'has-child'
    streams.mark(key, verdict === 'resume' ? 'open' : 'closed')
    await streams.write()
    const { upTo, head } = position
    await recordResolution(tx, { gateway, epoch, verdict, by, reason, upTo, head, at: now })
    return 'resolved'
  })
}

/** The box that waits with this epoch is not the gateway; its other streams neither. */
async function refused(db: Db, resolution: ForkResolution): Promise<ForkOutcome> {
  const { gateway, epoch, verdict, by, reason, now: at } = resolution
  if (!(await refuseHeld(db, { gateway, stream: 'usage', epoch }))) return 'unknown'
  for (const other of await heldBeside(db, { gateway, usageEpoch: epoch })) await refuseHeld(db, other)
  const nothing = { upTo: 0, head: ZERO_HASH }
  await recordResolution(db, { gateway, epoch, verdict, by, reason, ...nothing, at })
  return 'resolved'
}

/** The outcome, and every epoch that goes on now. */
interface Adopted {
  readonly outcome: Adoption
  readonly adopted: readonly StreamKey[]
}

/**
 * Takes an epoch that waits by an operator's word, which is kept for ever. With a box's usage its other streams go on
 * too, as far as they wait.
 */
export function adopt(
  db: CloudDatabase,
  { gateway, stream, epoch, by, reason, now }: Word & StreamKey & { readonly stream: Stream },
): Promise<Adopted> {
  return db.transaction(async (tx) => {
    const streams = await holdStreams(tx, [gateway], now)
    const outcome = adoptEpoch(streams, { gateway, stream, epoch })
    if (outcome !== 'adopted') return { outcome, adopted: [] }
    const beside = stream === 'usage' ? await heldBeside(tx, { gateway, usageEpoch: epoch }) : []
    const also = beside.filter((other) => adoptEpoch(streams, other) === 'adopted')
    await streams.write()
    const nothing = { upTo: 0, head: ZERO_HASH }
    await recordResolution(tx, { gateway, epoch, verdict: 'adopt', by, reason, ...nothing, at: now })
    return { outcome, adopted: [{ gateway, stream, epoch }, ...also] }
  })
}
