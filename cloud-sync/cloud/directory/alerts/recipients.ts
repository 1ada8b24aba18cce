import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { may } from '../kernel/authority.ts'
import { partnersOf } from '../organisations/links.ts'

export type AlertKind = DirectoryRow<'alert_rule'>['kind']

/** Something that people are to be told. */
export interface Occasion {
  readonly kind: AlertKind
  /** `GATEWAY` or `GATEWAY/DEVICE`. */
  readonly resource: string
  /** Whose it is. */
  readonly org: string
  /** The rule of a threshold; null for what is told by default. */
  readonly rule: string | null
  /** Epoch ms. */
  readonly at: number
}

/** Somebody who would be told, through which organisation and membership. */
interface Told {
  readonly user: string
  readonly org: string
  readonly incarnation: number
}

/**
 * Who is told: by default every member of every partner that manages the owner, computed at this moment, so that later
 * members and devices need no rows (S4.15); and for rules their owner, whom they are shared with and the team they are
 * tagged with. The customer's own people are told by rules only. Minus who may not know it, and who has opted out (S4.16).
 */
export async function recipients(read: DirectoryReader, occasion: Occasion): Promise<DirectoryRow<'user'>[]> {
  const told = [
    ...(occasion.kind === 'threshold' ? [] : await byDefault(read, occasion)),
    ...(await byRules(read, occasion)),
  ]
  const seeing = await Promise.all(told.map((one) => mayHear(read, one, occasion)))
  const paths = [occasion.resource, occasion.resource.split('/')[0] ?? '']
  const optOuts = await read.find('alert_opt_out', {
    user: told.map(({ user }) => user),
    device: paths,
  })
  const wanted = told.filter(({ user, org, incarnation }, index) => {
    if (seeing[index] !== true) return false
    const theirs = optOuts.filter(
      (out) => out.user === user && out.org === org && out.incarnation === incarnation,
    )
    return !theirs.some(({ kind }) => kind === 'all' || kind === occasion.kind)
  })
  const users = await read.find('user', { id: [...new Set(wanted.map(({ user }) => user))], state: 'active' })
  return users.sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** A mail tells what is measured, or how it is: only to who may know that now, whatever they might when they asked for it. */
function mayHear(
  read: DirectoryReader,
  { user, org: of }: Told,
  { kind, resource, org, at }: Occasion,
): Promise<boolean> {
  const on = resource.includes('/') ? 'device' : 'gateway'
  const right = kind === 'threshold' ? 'data.read' : (`${on}.status` as const)
  const actor = { kind: 'user', user, org: of, scope: 'full' } as const
  return may({ read, actor, at }, right, { org, thing: { kind: on, resource } })
}

async function byDefault(read: DirectoryReader, { org, at }: Occasion): Promise<Told[]> {
  const links = await partnersOf({ read, at }, org)
  const members = await read.find('membership', { org: links.map(({ partner }) => partner), state: 'active' })
  return members
}

async function byRules(read: DirectoryReader, { kind, resource, org, rule, at }: Occasion): Promise<Told[]> {
  const watched = [resource, resource.split('/')[0] ?? '']
  const rules = await read.find('alert_rule', { org, kind, resource: watched, state: 'active' })
  const told = await Promise.all(
    rules.filter(({ id }) => rule === null || rule === id).map((found) => peopleOf(read, found, at)),
  )
  return told.flat()
}

async function peopleOf(
  read: DirectoryReader,
  rule: DirectoryRow<'alert_rule'>,
  at: number,
): Promise<Told[]> {
  const { org, owner, owner_org, owner_incarnation, team, id } = rule
  const tagged = team === null ? [] : await read.find('team_member', { team })
  const grants = await read.find('grant', {
    org,
    resource_kind: 'alert',
    resource: id,
    principal_kind: 'user',
    state: ['live', 'legacy'],
  })
  const candidates = [
    { user: owner, org: owner_org, incarnation: owner_incarnation },
    ...tagged,
    ...grants.map(({ principal, principal_org, incarnation }) => ({
      user: principal,
      org: principal_org,
      incarnation,
    })),
  ]
  const members = await read.find('membership', { user: candidates.map(({ user }) => user), state: 'active' })
  const present = candidates.filter(({ user, org: of, incarnation }) =>
    members.some((member) => member.user === user && member.org === of && member.incarnation === incarnation),
  )
  // Who is told from outside must still have a way in: a link that lives, a share that is awake.
  const thing = { kind: 'alert', resource: id } as const
  const told = await Promise.all(
    present.map(async ({ user, org: of }) => {
      const actor = { kind: 'user', user, org: of, scope: 'full' } as const
      return of === org || (await may({ read, actor, at }, 'alert.self', { org, thing }))
    }),
  )
  return present.filter((_candidate, index) => told[index])
}
