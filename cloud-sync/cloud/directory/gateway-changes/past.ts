import { z } from 'zod'
import { type Circumstances, effectiveFacts, type Stand } from '../../../access/index.ts'
import { decodeChange } from '../../../codec/index.ts'
import { CLOUD_REPLICA, ChangesHeard, type GatewayChange, PolicyFacts } from '../../../contract/index.ts'
import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { memberFact } from '../kernel/facts.ts'
import { withPartnerNames } from '../kernel/partner-names.ts'
import { orgChain } from '../kernel/write.ts'
import type { Place } from './place.ts'

/** Whatever else a policy says decides nothing. */
const Content = PolicyFacts.strip().extend({ heard: ChangesHeard.nullable().default(null) })
const Heads = z.record(z.string(), z.int())
const Row = z.record(z.string(), z.unknown())
const Ops = z.object({ ops: z.array(z.object({ do: z.string(), table: z.string(), row: Row })) })

/**
 * What the author of a change had, and what became of it since. The policy's version says what they had seen of the log;
 * every entry beyond it is concurrent with the change, but for those by the gateway itself.
 */
export async function pastOf(
  read: DirectoryReader,
  { change, present, place }: { change: GatewayChange; present: PolicyFacts; place: Place | undefined },
): Promise<Circumstances | undefined> {
  const { gw: gateway, proposal } = change
  const seen = proposal.seen[CLOUD_REPLICA] ?? 0
  const policy = await policySeen(read, gateway, seen)
  if (policy === undefined) return undefined
  const { heard, ...facts } = Content.parse(await withPartnerNames(read, gateway, JSON.parse(policy.content)))
  const terms = {
    issuedAt: policy.issued_at,
    freshUntil: policy.fresh_until,
    hardUntil: policy.hard_until,
  }
  const earlier = await earlierOf(read, change, heard)
  const past = effectiveFacts({ ...facts, ...terms }, earlier)
  // Freshness is a question of what its author had.
  const now = { ...present, issuedAt: proposal.at, freshUntil: null, hardUntil: null }
  const entries = await unseenEntries(read, { change, heads: Heads.parse(JSON.parse(policy.heads)), place })
  const stands = entries.flatMap((entry) => standAfter(now, entry, change))
  return {
    isKnown: policy.version === seen,
    past,
    since: [...stands, { facts: now, by: null }],
    removedBy: entries.findLast((entry) => removes(entry, place))?.name ?? null,
  }
}

async function policySeen(
  read: DirectoryReader,
  gateway: string,
  seen: number,
): Promise<DirectoryRow<'gateway_policy'> | undefined> {
  const page = { orderBy: ['version'], limit: 1 } as const
  const [kept] = await read.find('gateway_policy', { gateway }, { ...page, after: seen - 1 })
  // This cloud came back from a backup and has not counted so far yet.
  return kept ?? (await read.find('gateway_policy', { gateway }, { ...page, descending: true }))[0]
}

/** Its earlier changes that the policy does not have; what was void counted where it was made. */
async function earlierOf(
  read: DirectoryReader,
  { gw: gateway, proposal: { dot } }: GatewayChange,
  heard: ChangesHeard | null,
): Promise<GatewayChange[]> {
  const { replica, seq } = dot
  const after = heard?.replica === replica ? heard.upTo : 0
  const state = ['accepted', 'void'] as const
  const rows = await read.find('gateway_change', { gateway, replica, state }, { orderBy: ['seq'], after })
  const earlier = rows
    .filter((row) => row.seq < seq)
    .map(({ body }) => decodeChange(Buffer.from(body, 'base64')))
  return withPartnerNames(read, gateway, earlier)
}

interface Entry {
  /** `chain#number`. */
  readonly name: string
  readonly ops: z.infer<typeof Ops>['ops']
}

async function unseenEntries(
  read: DirectoryReader,
  given: {
    change: GatewayChange
    heads: Readonly<Record<string, number>>
    place: Place | undefined
  },
): Promise<Entry[]> {
  const { change, heads, place } = given
  const { author, dot } = change.proposal
  const chains = new Set([author.org, ...(place === undefined ? [] : [place.org])].map(orgChain))
  const found: Entry[] = []
  for (const chain of chains) {
    const rows = await read.find('policy_log', { chain }, { orderBy: ['seq'], after: heads[chain] ?? 0 })
    for (const { seq, entry } of rows)
      found.push({ name: `${chain}#${seq}`, ops: Ops.parse(JSON.parse(entry)).ops })
  }
  const isOwn = ({ ops }: Entry): boolean =>
    ops.some(
      ({ table, row }) =>
        table === 'gateway_change' && row['gateway'] === change.gw && row['replica'] === dot.replica,
    )
  return found.filter((entry) => !isOwn(entry))
}

/** The present, but with the author's membership, or the way out of the owner's organisation, as this entry left it. */
function standAfter(now: PolicyFacts, { name, ops }: Entry, { proposal }: GatewayChange): Stand[] {
  const { author, change } = proposal
  return ops.flatMap(({ table, row }): Stand[] => {
    if (table === 'membership' && row['org'] === author.org && row['user'] === author.name) {
      const others = now.members.filter((one) => one.org !== author.org || one.name !== author.name)
      const then = memberFact(row as DirectoryRow<'membership'>)
      return [{ facts: { ...now, members: [...others, ...then] }, by: name }]
    }
    const via = change.kind === 'grant.add' ? change.grant.via : null
    if (table !== 'cross_org_policy' || via === null || row['id'] !== via || row['state'] === 'active')
      return []
    return [{ facts: { ...now, policies: now.policies.filter(({ id }) => id !== via) }, by: name }]
  })
}

/** Whatever the membership's number, as a share is ended at a gateway too. */
function removes({ ops }: Entry, place: Place | undefined): boolean {
  if (place === undefined) return false
  return ops.some(
    ({ table, row }) =>
      table === 'grant' &&
      row['state'] === 'revoked' &&
      row['resource'] === place.resource &&
      row['principal_kind'] === place.principal_kind &&
      row['principal'] === place.principal &&
      row['principal_org'] === place.principal_org,
  )
}
