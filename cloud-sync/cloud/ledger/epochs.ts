import type { Epoch, Stream } from '../../contract/index.ts'
import type { HeldBecause, HeldStreams, StreamKey, StreamPosition } from '../storage/index.ts'

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

/** Why an epoch that nobody has seen does not open; `ok`: it does, `unknown_epoch`: its gateway is told to name a parent. */
export type EpochVerdict = 'ok' | 'unknown_epoch' | HeldBecause

/**
 * A gateway's first epoch opens, and one that names a known parent which has no child yet. One that names no parent is
 * told so once; told again, a gateway would only open the next one, for ever. Every other one waits for the operator: a
 * second child is a copy of the gateway, or the gateway itself after a copy was first.
 */
export function judgeEpoch(
  streams: HeldStreams,
  announced: StreamKey & { readonly parent: Epoch | null },
): EpochVerdict {
  const { parent } = announced
  const positions = streams.epochsOf(announced)
  if (isHeld(streams, announced)) return 'after-fork'
  if (positions.length === 0) return 'ok'
  if (parent === null) return 'unknown_epoch'
  if (!positions.some(({ epoch }) => epoch === parent)) return 'unknown-parent'
  return positions.some((position) => position.parent === parent) ? 'second-child' : 'ok'
}

export type Adoption = 'adopted' | 'known' | 'no-stream'

/**
 * The operator's word that an epoch the ledger could not judge (`hold`) is the true gateway's: it goes on behind the
 * newest one. That one ends where it stands, and so does every fork before it: whoever still counts under the old names
 * is refused, and no longer holds up what comes after.
 */
export function adoptEpoch(streams: HeldStreams, key: StreamKey): Adoption {
  if (streams.find(key) !== undefined) return 'known'
  const newest = newestOf(streams.epochsOf(key))
  if (newest === undefined) return 'no-stream'
  for (const before of [newest, ...ancestorsOf(streams, newest)])
    if (before === newest || before.state === 'forked') streams.mark(before, 'closed')
  streams.open(key, newest.epoch)
  return 'adopted'
}
