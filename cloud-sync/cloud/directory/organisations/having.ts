import { setImmediate } from 'node:timers/promises'
import { COLUMNS, RULES } from '../../../access/index.ts'
import { type Level, type Right, RIGHTS } from '../../../contract/index.ts'
import type { DirectoryReader, DirectoryRow, ResourceKind } from '../../storage/index.ts'
import { refuse } from '../errors.ts'
import { rightsHad } from '../kernel/authority.ts'
import type { Asking } from '../kernel/write.ts'

type Grant = DirectoryRow<'grant'>

/** A level that somebody has on a thing of the organisation. */
export type Given = Pick<Grant, 'org' | 'resource_kind' | 'resource' | 'level'>

/** What the organisation itself gave to one of its people or teams, of things that are still there under the same owner. */
export async function givenTo(
  read: DirectoryReader,
  to: Pick<Grant, 'org' | 'principal_kind' | 'principal'>,
): Promise<Given[]> {
  const grants = await read.find('grant', { ...to, principal_org: to.org, state: 'live' })
  const lives = await Promise.all(grants.map((grant) => isThere(read, grant)))
  return grants.filter((_grant, index) => lives[index])
}

/**
 * What a member was given besides their role: what they have again who come back from a suspension, are observers no more,
 * or have a right back that a custom role took from all of it. What is shared with the whole organisation is not among it:
 * whoever shared it gave it to everybody who is or will be let in, and letting in is what `member.invite` is. A custom role
 * withholds that too (`givenToAll`).
 */
export async function givenToMember(
  read: DirectoryReader,
  { org, user, incarnation }: DirectoryRow<'membership'>,
): Promise<Given[]> {
  const teams = await read.find('team_member', { org, user, incarnation })
  const own = await givenTo(read, { org, principal_kind: 'user', principal: user })
  const theirs = await Promise.all(
    teams.map(({ team }) => givenTo(read, { org, principal_kind: 'team', principal: team })),
  )
  const gateways = await read.find('gateway', { org, custodian: user })
  const devices = await read.find('device', { org, custodian: user, state: 'active' })
  const kept = [
    ...gateways.map(({ id }) => ({ resource_kind: 'gateway', resource: id }) as const),
    ...devices.map(({ path }) => ({ resource_kind: 'device', resource: path }) as const),
  ]
  return [...own, ...theirs.flat(), ...kept.map((thing) => ({ org, ...thing, level: 'owner' }) as const)]
}

/** What everybody of the organisation was given. */
export const givenToAll = (read: DirectoryReader, org: string): Promise<Given[]> =>
  givenTo(read, { org, principal_kind: 'org', principal: org })

/**
 * The actor has every right that these open, or of these `among` others: nobody gives what they lack. Each is asked once,
 * however often it is given. @throws DIRECTORY_ABOVE_RANK
 */
export async function assertHasAll(
  asking: Asking,
  given: readonly Given[],
  { whose, among }: { readonly whose: string; readonly among?: readonly Right[] },
): Promise<void> {
  const actors = actorsRights(asking)
  for (const { org, kind, resource, rights } of openedTogether(given, among)) {
    // Who has it on a device has it on its sensors, of which there may be thousands.
    const [gateway = '', device = ''] = resource.split('/')
    const above = kind === 'sensor' ? await actors(org, 'device', `${gateway}/${device}`) : undefined
    if (rights.every((right) => above?.has(right))) continue
    const had = await actors(org, kind, resource)
    const lacking = rights.find((right) => !had.has(right))
    if (lacking !== undefined)
      refuse('DIRECTORY_ABOVE_RANK', `${whose} has ${lacking} on ${resource}, which you lack`)
  }
}

/** So many things are looked at in one go; then others are served. */
const IN_ONE_GO = 25

/** What the actor has on a thing, each looked at once. */
export function actorsRights(
  asking: Asking,
): (org: string, kind: ResourceKind, resource: string) => Promise<ReadonlySet<Right>> {
  const known = new Map<string, ReadonlySet<Right>>()
  return async (org, kind, resource) => {
    const thing = `${kind} ${resource}`
    const before = known.get(thing)
    if (before !== undefined) return before
    const had = await rightsHad(asking, RIGHTS, { org, thing: { kind, resource } })
    known.set(thing, had)
    if (known.size % IN_ONE_GO === 0) await setImmediate()
    return had
  }
}

interface Opened {
  readonly org: string
  readonly kind: ResourceKind
  readonly resource: string
  readonly rights: readonly Right[]
}

/** Each thing once, with all rights that were given on it. */
function openedTogether(given: readonly Given[], among: readonly Right[] = RIGHTS): Opened[] {
  const things = new Map<string, Omit<Opened, 'rights'> & { readonly rights: Set<Right> }>()
  for (const { org, resource_kind: kind, resource, level } of given) {
    const name = `${org} ${kind} ${resource}`
    const thing = things.get(name) ?? { org, kind, resource, rights: new Set<Right>() }
    things.set(name, thing)
    for (const right of openedBy(kind, level)) if (among.includes(right)) thing.rights.add(right)
  }
  return [...things.values()].map((thing) => ({ ...thing, rights: [...thing.rights] }))
}

async function isThere(
  read: DirectoryReader,
  { org, resource_kind: kind, resource, owner_epoch }: Grant,
): Promise<boolean> {
  const [gateway = '', device] = resource.split('/')
  switch (kind) {
    case 'workspace':
      return (await read.get('workspace', { id: resource, org, state: 'active' })) !== undefined
    case 'gateway':
      return (await read.get('gateway', { id: gateway, org, owner_epoch })) !== undefined
    case 'device':
    case 'sensor': {
      const path = `${gateway}/${device ?? ''}`
      return (await read.get('device', { path, org, owner_epoch, state: 'active' })) !== undefined
    }
    case 'view':
      return (await read.get('saved_view', { id: resource, org, state: 'active' })) !== undefined
    case 'alert':
      return (await read.get('alert_rule', { id: resource, org, state: 'active' })) !== undefined
  }
}

const ON_WORKSPACE = { owner: 'WA', editor: 'WE', viewer: 'WV' } as const
const ON_THING = { owner: 'RO', editor: 'RE', viewer: 'RV' } as const
/** What a level on a thing of this kind opens, leaving aside. */
function openedBy(kind: Grant['resource_kind'], level: Level): Right[] {
  const at = COLUMNS.indexOf((kind === 'workspace' ? ON_WORKSPACE : ON_THING)[level])
  const on = kind === 'view' || kind === 'alert' ? 'item' : kind
  const rules = [...RULES.values()].filter((rule) => rule.on.includes(on) && rule.right !== 'self.leave')
  return rules.filter(({ cells }) => ['Y', '^'].includes(cells[at] ?? '.')).map(({ right }) => right)
}
