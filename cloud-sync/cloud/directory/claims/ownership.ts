import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { sha256, ZERO } from '../kernel/log.ts'
import type { Writing } from '../kernel/write.ts'

/** What somebody became the owner by. */
type Cause = 'claimed' | 'decided'

/** The next link of the chain of owners; the epoch that begins with it. The caller holds the new owner's chain. */
export async function addOwnership(
  writing: Writing,
  {
    gateway,
    to,
    cause,
    evidence,
    toldUpTo = 0,
  }: {
    gateway: DirectoryRow<'gateway'>
    to: string
    cause: Cause
    /** What the gateway signed, base64. */
    evidence: string | null
    /** Of a transfer that came to nothing, the epoch that the gateway may have been told of. */
    toldUpTo?: number
  },
): Promise<number> {
  const [last] = await writing.read.find(
    'ownership_entry',
    { gateway: gateway.id },
    { orderBy: ['epoch'], descending: true, limit: 1 },
  )
  // A gateway that was registered without a claim has an epoch and no entry, also when it was let go since.
  const hadOwner =
    gateway.state !== 'unclaimed' || last !== undefined || (await wasReleased(writing, gateway))
  const epoch = Math.max(last?.epoch ?? 0, hadOwner ? gateway.owner_epoch : 0, toldUpTo) + 1
  const prev = last?.hash ?? ZERO
  const entry = JSON.stringify({
    v: 1,
    gateway: gateway.id,
    epoch,
    from: gateway.org,
    to,
    cause,
    at: writing.at,
    prev,
    evidence: evidence === null ? null : sha256(evidence),
  })
  await writing.add('ownership_entry', {
    gateway: gateway.id,
    epoch,
    org: to,
    prev,
    hash: sha256(entry),
    entry,
  })
  return epoch
}

async function wasReleased({ read }: Writing, { id }: DirectoryRow<'gateway'>): Promise<boolean> {
  const [release] = await read.find('claim_receipt', { gateway: id, verdict: 'released' }, { limit: 1 })
  return release !== undefined
}

export const holdsOf = (read: DirectoryReader, gateway: string): Promise<DirectoryRow<'usage_hold'>[]> =>
  read.find('usage_hold', { gateway }, { orderBy: ['counter'] })
