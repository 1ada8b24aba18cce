import type { Epoch, Stream } from '../../contract/index.ts'
import type { HeldStreams, StreamKey, StreamPosition } from '../storage/index.ts'

/** Epochs walked back to find where a register stood, or a fork. */
const ANCESTORS_MAX = 1_000

/** The epoch that no other one follows: each has at most one child, so there is one. */
export const newestOf = (positions: readonly StreamPosition[]): StreamPosition | undefined =>
  positions.find(({ epoch }) => !positions.some(({ parent }) => parent === epoch))

/** Only a gateway's very first epoch opens by itself; every other one is announced with its parent in `up/status`. */
export function openFirst(streams: HeldStreams, key: StreamKey): StreamPosition | undefined {
  return streams.epochsOf(key).length === 0 ? streams.open(key, null) : undefined
}

/** The epochs before this one, the nearest first. */
export function ancestorsOf(
  streams: Pick<HeldStreams, 'find'>,
  { gateway, stream, parent }: { gateway: StreamKey['gateway']; stream: Stream; parent: Epoch | null },
): StreamPosition[] {
  const ancestors: StreamPosition[] = []
  for (let epoch = parent; epoch !== null && ancestors.length < ANCESTORS_MAX; ) {
    const ancestor = streams.find({ gateway, stream, epoch })
    if (ancestor === undefined) break
    ancestors.push(ancestor)
    epoch = ancestor.parent
  }
  return ancestors
}

/** It takes nothing more: forked, ended by an operator, or a child was opened, so that whatever still comes is a copy's. */
export const isOver = (streams: HeldStreams, position: StreamPosition): boolean =>
  position.state !== 'open' || streams.epochsOf(position).some(({ parent }) => parent === position.epoch)

/** It descends from a fork that nobody has resolved: of usage nothing is posted until then. */
export const isHeld = (
  streams: Pick<HeldStreams, 'find'>,
  descendant: { gateway: StreamKey['gateway']; stream: Stream; parent: Epoch | null },
): boolean =>
  descendant.stream === 'usage' && ancestorsOf(streams, descendant).some(({ state }) => state === 'forked')

export type Adoption = 'adopted' | 'known' | 'no-stream'

/**
 * The operator's word that an epoch the ledger could not judge (`hold`, a second child) is the true gateway's: it goes on
 * where the newest one stands, which takes nothing more from then on.
 */
export function adoptEpoch(streams: HeldStreams, key: StreamKey): Adoption {
  if (streams.find(key) !== undefined) return 'known'
  const newest = newestOf(streams.epochsOf(key))
  if (newest === undefined) return 'no-stream'
  streams.open(key, newest.epoch)
  return 'adopted'
}
