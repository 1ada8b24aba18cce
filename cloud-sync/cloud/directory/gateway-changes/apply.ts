import {
  type AccessChange,
  type Author,
  type Dot,
  type GatewayChange,
  type Grant,
  type PolicyFacts,
  shareMadeBy,
} from '../../../contract/index.ts'
import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import type { Writing } from '../kernel/write.ts'
import { endMembership } from '../organisations/leaving.ts'
import { block } from './blocks.ts'
import type { Place } from './place.ts'

/** What is shown to somebody on site ends after this long at the latest, ms. */
const SHARE_MS_MAX = 72 * 3_600_000

export interface Applied {
  readonly change: GatewayChange
  /** At which it was made. */
  readonly gateway: DirectoryRow<'gateway'>
  readonly place: Place | undefined
  /** What the author had, where that is known. */
  readonly past: PolicyFacts | undefined
  /** What the place of a share is to hold; null = it stays as it is. */
  readonly grant: Grant | null
}

type Kind = AccessChange['kind']
type Applying<C> = (writing: Writing, change: C, applied: Applied) => Promise<void>

const onlyInCloud = (_writing: Writing, { kind }: AccessChange): never => {
  throw new Error(`a gateway's ${kind} was accepted`)
}

/**
 * What each kind does to the directory. What only the cloud decides is never accepted of a gateway; and with the key of a
 * gateway nobody ends a membership, a key or a share of more than that gateway: it ends there, and everywhere once somebody
 * of the organisation says so. Leaving counts everywhere where the gateway is the organisation's own.
 */
const APPLYING: { readonly [K in Kind]: Applying<Extract<AccessChange, { kind: K }>> } = {
  'grant.add': async (writing, _, { place, grant, change }) => {
    const { author } = change.proposal
    if (place !== undefined && grant !== null) await hold(writing, place, { grant, author })
  },
  'grant.remove': async (writing, _, { place, ...applied }) => {
    if (place === undefined) return
    const reachesFurther = place.resource_kind === 'workspace' || isItem(place)
    const isForeign = reachesFurther && place.org !== applied.gateway.org
    for (const grant of await sharesAt(writing, place)) {
      if (!isForeign) await writing.put('grant', { ...grant, state: 'revoked' })
      else await block(writing, applied, { kind: 'share', org: grant.org, subject: grant.id, incarnation: 0 })
    }
  },
  'member.remove': async (writing, { org, name }, applied) => {
    const { author } = applied.change.proposal
    const member = await memberSeen(writing, applied.past, { org, name })
    if (member === undefined) return
    const isOwn = org === author.org && name === author.name && org === applied.gateway.org
    if (isOwn && member.state !== 'left') await endMembership(writing, member, 'left')
    else await block(writing, applied, { ...blockOf(member), kind: 'removed' })
  },
  'member.suspend': async (writing, who, applied) => {
    const member = await memberSeen(writing, applied.past, who)
    if (member !== undefined) await block(writing, applied, { ...blockOf(member), kind: 'suspended' })
  },
  'key.block': async (writing, { org, name }, applied) => {
    for (const { id, incarnation } of await writing.read.find('token', { org, name, state: 'active' }))
      await block(writing, applied, { kind: 'key', org, subject: id, incarnation })
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

const LIVES: ReadonlySet<DirectoryRow<'grant'>['state']> = new Set(['live', 'legacy'])

/** What stands under the name that a gateway gives a share, where that is no name of its own for this place. */
export async function namedWrongly(
  read: DirectoryReader,
  { grant, place, dot }: { grant: Grant; place: Place; dot: Dot },
): Promise<'exists' | 'not-the-author' | undefined> {
  const there = await read.get('grant', { id: grant.id })
  if (there === undefined) return grant.id === shareMadeBy(dot) ? undefined : 'not-the-author'
  const names = Object.keys(place) as (keyof Place)[]
  return names.every((name) => there[name] === place[name]) ? undefined : 'exists'
}

async function hold(
  writing: Writing,
  place: Place,
  { grant, author }: { grant: Grant; author: Author },
): Promise<void> {
  const { read, at } = writing
  const incarnation = grant.to.kind === 'member' ? grant.to.incarnation : 0
  const present = await read.get('grant', { id: grant.id })
  const by = grant.by ?? author
  // A share that the cloud gave keeps its end as long as it lives; a gateway's never lasts longer than it may.
  const isKept = present !== undefined && LIVES.has(present.state) && present.expires_at === grant.expiresAt
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
    expires_at: isKept ? present.expires_at : Math.min(grant.expiresAt ?? Infinity, at + SHARE_MS_MAX),
    state: 'live',
    brought_by: present?.brought_by ?? null,
    created_at: present?.created_at ?? at,
  })
}

const isItem = ({ resource_kind: kind }: Place): boolean => kind === 'view' || kind === 'alert'

/** Every share of the thing with them, whatever the membership's number, with all that it brought along. */
async function sharesAt({ read }: Writing, place: Place): Promise<DirectoryRow<'grant'>[]> {
  const state = ['live', 'legacy'] as const
  const here = await read.find('grant', { ...place, state })
  const brought = await read.find('grant', { brought_by: here.map(({ id }) => id), org: place.org, state })
  return [...here, ...brought]
}

const blockOf = ({ org, user, incarnation }: DirectoryRow<'membership'>) => ({
  org,
  subject: user,
  incarnation,
})

/**
 * The membership that the author meant: who was removed and came back meanwhile is another. Who left has something here as
 * long as there is something that they were left with.
 */
async function memberSeen(
  { read }: Writing,
  past: PolicyFacts | undefined,
  { org, name }: { org: string; name: string },
): Promise<DirectoryRow<'membership'> | undefined> {
  const member = await read.get('membership', { org, user: name, state: ['active', 'suspended', 'left'] })
  const seen = past?.members.find((one) => one.org === org && one.name === name)
  return past === undefined || member?.incarnation === seen?.incarnation ? member : undefined
}
