import { COLUMNS, RULES } from '../../../access/index.ts'
import type { Level, Right } from '../../../contract/index.ts'
import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { refuse } from '../errors.ts'
import { may } from '../kernel/authority.ts'
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
 * whoever shared it gave it to everybody who is or will be let in, and letting in is what `member.invite` is.
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

/**
 * The actor has every right that these open, or of these `among` others: nobody gives what they lack. Each is asked once,
 * however often it is given. @throws DIRECTORY_ABOVE_RANK
 */
export async function assertHasAll(
  asking: Asking,
  given: readonly Given[],
  { whose, among }: { readonly whose: string; readonly among?: readonly Right[] },
): Promise<void> {
  const asked = new Set<string>()
  for (const { org, resource_kind: kind, resource, level } of given) {
    for (const right of openedBy(kind, level)) {
      const question = `${kind} ${resource} ${right}`
      if (asked.has(question) || among?.includes(right) === false) continue
      asked.add(question)
      if (!(await may(asking, right, { org, thing: { kind, resource } }, { stepUp: true })))
        refuse('DIRECTORY_ABOVE_RANK', `${whose} has ${right} on ${resource}, which you lack`)
    }
  }
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
