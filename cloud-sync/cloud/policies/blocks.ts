import type { DirectoryReader, DirectoryRow } from '../storage/index.ts'

type Block = DirectoryRow<'gateway_block'>

/** What was taken away at one gateway alone. */
export interface Blocks {
  isShareEnded(id: string): boolean
  isTokenEnded(id: string): boolean
  /** The members that there are here, as they are here. */
  left(members: readonly DirectoryRow<'membership'>[]): DirectoryRow<'membership'>[]
}

/** An owner's own blocks end with the ownership under which they were made. */
export async function blocksAt(
  read: DirectoryReader,
  { id, owner_epoch: epoch }: Pick<DirectoryRow<'gateway'>, 'id' | 'owner_epoch'>,
): Promise<Blocks> {
  const rows = await read.find('gateway_block', { gateway: id, state: 'live' })
  const live = rows.filter((row) => row.owner_epoch === null || row.owner_epoch === epoch)
  const of = (kind: Block['kind']): Set<string> =>
    new Set(live.filter((row) => row.kind === kind).map(nameOf))
  const [removed, suspended, keys, shares] = [of('removed'), of('suspended'), of('key'), of('share')]
  return {
    isShareEnded: (share) => shares.has(share),
    isTokenEnded: (token) => keys.has(token),
    left: (members) =>
      members.flatMap((member) => {
        const name = membershipName(member)
        if (removed.has(name)) return []
        if (!suspended.has(name)) return [member]
        // Who left has no other state: what they were left with is not theirs to see here.
        return member.state === 'left' ? [] : [{ ...member, state: 'suspended' as const }]
      }),
  }
}

const nameOf = ({ kind, org, subject, incarnation }: Block): string =>
  kind === 'key' || kind === 'share' ? subject : membershipName({ org, user: subject, incarnation })

const membershipName = (member: Pick<DirectoryRow<'membership'>, 'org' | 'user' | 'incarnation'>): string =>
  `${member.org}:${member.user}:${member.incarnation}`
