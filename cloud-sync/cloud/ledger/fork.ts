import type { Epoch, GatewayId } from '../../contract/index.ts'
import { type CloudDatabase, holdStreams, recordResolution } from '../storage/index.ts'

/**
 * `resume`: what is posted is true and goes on where it stands. `close`: it ends there; the gateway goes on under the
 * next epoch that names it as its parent. Either way what was kept apart is never posted.
 */
export type ForkVerdict = 'resume' | 'close'

export interface ForkResolution {
  readonly gateway: GatewayId
  readonly epoch: Epoch
  readonly verdict: ForkVerdict
  /** Who decided. */
  readonly by: string
  readonly reason: string
  /** Epoch ms. */
  readonly now: number
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
    if (position === undefined) return 'unknown'
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
