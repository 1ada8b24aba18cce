import {
  type Db,
  findStream,
  openStream,
  type StreamKey,
  type StreamPosition,
  streamsOf,
} from '../storage/index.ts'

export type Adoption = 'adopted' | 'known' | 'no-stream'

/** The epoch that no other one follows: each has at most one child, so there is one. */
export const newestOf = (positions: readonly StreamPosition[]): StreamPosition | undefined =>
  positions.find(({ epoch }) => !positions.some(({ parent }) => parent === epoch))

/**
 * The operator's word that an epoch the ledger could not judge (`hold`, a second child) is the true gateway's: it goes on
 * where the newest one stands, which takes nothing more from then on.
 */
export async function adoptEpoch(db: Db, key: StreamKey, now: number): Promise<Adoption> {
  if ((await findStream(db, key)) !== undefined) return 'known'
  const known = await streamsOf(db, key.gateway)
  const newest = newestOf(known.filter(({ stream }) => stream === key.stream))
  if (newest === undefined) return 'no-stream'
  await openStream(db, key, { parent: newest.epoch, now })
  return 'adopted'
}
