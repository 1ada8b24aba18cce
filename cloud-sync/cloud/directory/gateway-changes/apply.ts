import type { AccessChange, GatewayChange, Grant, PolicyFacts } from '../../../contract/index.ts'
import type { DirectoryRow } from '../../storage/index.ts'
import type { Writing } from '../kernel/write.ts'
import { endMembership } from '../organisations/leaving.ts'
import type { Place } from './place.ts'

/** What is shown to somebody on site ends after this long at the latest, ms. */
const SHARE_MS_MAX = 72 * 3_600_000

export interface Applied {
  readonly change: GatewayChange
  readonly place: Place | undefined
  /** What the author had. */
  readonly past: PolicyFacts
  /** What the place of a share is to hold; null = it stays as it is. */
  readonly grant: Grant | null
}

type Kind = AccessChange['kind']
type Applying<C> = (writing: Writing, change: C, applied: Applied) => Promise<void>

const onlyInCloud = (_writing: Writing, { kind }: AccessChange): never => {
  throw new Error(`a gateway's ${kind} was accepted`)
}

/** What each kind does to the directory. What only the cloud decides is never accepted of a gateway. */
const APPLYING: { readonly [K in Kind]: Applying<Extract<AccessChange, { kind: K }>> } = {
  'grant.add': async (writing, _, { place, grant }) => {
    if (place !== undefined && grant !== null) await hold(writing, place, grant)
  },
  'grant.remove': async (writing, _, { place }) => {
    if (place !== undefined) await end(writing, place)
  },
  'member.remove': async (writing, { org, name }, { change, past }) => {
    const { author } = change.proposal
    const member = await memberSeen(writing, past, { org, name })
    const how = org === author.org && name === author.name ? 'left' : 'removed'
    if (member !== undefined) await endMembership(writing, member, how)
  },
  'member.suspend': async (writing, who, { past }) => {
    const member = await memberSeen(writing, past, who)
    if (member !== undefined) await writing.put('membership', { ...member, state: 'suspended' })
  },
  'key.block': async (writing, { org, name }) => {
    for (const token of await writing.read.find('token', { org, name, state: 'active' }))
      await writing.put('token', { ...token, state: 'revoked' })
  },
  'alert.opt-out': async (writing, { on, alert: kind }, { change }) => {
    const { org, name: user, incarnation } = change.proposal.author
    const device = 'device' in on ? `${change.gw}/${on.device}` : change.gw
    await writing.put('alert_opt_out', { user, device, kind, org, incarnation })
  },
  'member.set': onlyInCloud,
  'team.add': onlyInCloud,
  'team.remove': onlyInCloud,
  'policy.add': onlyInCloud,
  'policy.remove': onlyInCloud,
  'link.add': onlyInCloud,
  'link.remove': onlyInCloud,
  transfer: onlyInCloud,
}

/** Writes what an accepted change, or the cap of a void one, makes of the directory. */
export async function apply(writing: Writing, applied: Applied): Promise<void> {
  const { change } = applied.change.proposal
  await (APPLYING[change.kind] as Applying<AccessChange>)(writing, change, applied)
}

async function hold(writing: Writing, place: Place, grant: Grant): Promise<void> {
  const { read, at } = writing
  const incarnation = grant.to.kind === 'member' ? grant.to.incarnation : 0
  const present = await read.get('grant', { id: grant.id })
  const by = grant.by ?? { org: place.org, name: '', incarnation: 0 }
  // A share that the cloud gave keeps its end; a gateway's never lasts longer than it may.
  const isGateways = present === undefined || present.expires_at !== grant.expiresAt
  const end = isGateways ? Math.min(grant.expiresAt ?? Infinity, at + SHARE_MS_MAX) : present.expires_at
  await writing.put('grant', {
    id: grant.id,
    ...place,
    level: grant.level,
    granted_by: by.name,
    granted_by_org: by.org,
    granted_by_incarnation: by.incarnation,
    incarnation,
    owner_epoch: grant.ownerEpoch,
    via: grant.via,
    expires_at: end,
    state: 'live',
    brought_by: present?.brought_by ?? null,
    created_at: present?.created_at ?? at,
  })
}

/** Ends every share of the thing with them, whatever the membership's number, with all that it brought along. */
async function end(writing: Writing, place: Place): Promise<void> {
  const state = ['live', 'legacy'] as const
  for (const grant of await writing.read.find('grant', { ...place, state })) {
    await writing.put('grant', { ...grant, state: 'revoked' })
    for (const brought of await writing.read.find('grant', { brought_by: grant.id, org: place.org, state }))
      await writing.put('grant', { ...brought, state: 'revoked' })
  }
}

/** The membership that the author meant: who was removed and came back meanwhile is another. */
async function memberSeen(
  { read }: Writing,
  past: PolicyFacts,
  { org, name }: { org: string; name: string },
): Promise<DirectoryRow<'membership'> | undefined> {
  const seen = past.members.find((one) => one.org === org && one.name === name)
  const member = await read.get('membership', { org, user: name, state: ['active', 'suspended'] })
  return member?.incarnation === seen?.incarnation ? member : undefined
}
