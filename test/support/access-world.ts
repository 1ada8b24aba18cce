import fc from 'fast-check'
import { compilePolicy, type MergeRules, resolve, whoCan } from '../../cloud-sync/access/index.ts'
import {
  type AccessChange,
  type Author,
  type CrossPolicy,
  type Grant,
  type Grantee,
  type Member,
  PolicyFacts,
  type Proposal,
  Proposal as ProposalSchema,
  type Resource,
  type Right,
  type TeamHandle,
} from '../../cloud-sync/contract/index.ts'
import { ownerOf, THINGS } from './access-sight.ts'

/**
 * acme owns the gateway with its devices, bolt is a guest with one of its own, coil shows up through policies, prime is a
 * partner. Everybody's first person is an owner (or what a partner has for one).
 */
const member = (org: string, name: string, role: string): object => ({ org, name, role, incarnation: 1 })
export const BASE = PolicyFacts.parse({
  owner: { org: 'acme', ownerEpoch: 1 },
  organisations: [
    ...['acme', 'bolt', 'coil'].map((id) => ({ id, name: id })),
    { id: 'prime', name: 'prime', type: 'partner' },
  ],
  members: [
    ...[member('acme', 'a0', 'owner'), member('acme', 'a1', 'admin'), member('acme', 'a2', 'editor')],
    ...[member('acme', 'a3', 'member'), member('bolt', 'b0', 'owner'), member('bolt', 'b1', 'admin')],
    ...[member('coil', 'c0', 'owner'), member('coil', 'c1', 'viewer')],
    ...[member('prime', 'p0', 'super-installer'), member('prime', 'p1', 'installer')],
  ],
  teams: [
    { org: 'acme', handle: 'crew', name: 'crew', members: [{ name: 'a3', incarnation: 1 }] },
    { org: 'coil', handle: 'crew', name: 'crew', members: [] },
  ],
  workspaces: [{ id: 'dam', org: 'acme', name: 'dam' }],
  devices: [
    { id: 'tilt', org: 'acme', ownerEpoch: 1, workspace: 'dam', custodian: 'a2' },
    { id: 'crack', org: 'acme', ownerEpoch: 1 },
    { id: 'weir', org: 'bolt', ownerEpoch: 1 },
  ],
  policies: [{ id: 'p-first', from: 'acme', to: 'bolt' }],
  links: [{ id: 'l-first', partner: 'prime', customer: 'bolt', cap: 'installer' }],
  grants: [
    {
      id: 'g-first',
      on: { kind: 'device', device: 'crack' },
      to: { kind: 'member', org: 'bolt', name: 'b1', incarnation: 1 },
      level: 'editor',
      ownerEpoch: 1,
      via: 'p-first',
    },
    {
      id: 'g-legacy',
      on: { kind: 'device', device: 'crack' },
      to: { kind: 'member', org: 'coil', name: 'c1', incarnation: 1 },
      level: 'viewer',
      ownerEpoch: 1,
      legacy: true,
    },
  ],
})

const REPLICAS = ['cloud', 'gw-1', 'gw-2'] as const
type Replica = (typeof REPLICAS)[number]
const ROLES = ['admin', 'editor', 'viewer', 'member', 'observer'] as const
/** One throw of the dice: what somebody does somewhere, as numbers that are taken modulo what there is. */
interface Step {
  readonly replica: number
  readonly what: number
  readonly who: number
  readonly whom: number
  readonly on: number
  readonly how: number
}
const number = fc.nat({ max: 999 })
export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({ replica: number, what: number, who: number, whom: number, on: number, how: number }),
  { minLength: 8, maxLength: 26 },
)

/** What three replicas did, gateways being offline between their exchanges with the cloud. */
export function historyFrom(all: readonly Step[]): Proposal[] {
  const known = new Map<Replica, Proposal[]>(REPLICAS.map((replica) => [replica, []]))
  const made: Proposal[] = []
  for (const [at, step] of all.entries()) {
    const replica = pick(['cloud', 'gw-1', 'gw-2', 'cloud', 'gw-1'] as const, step.replica)
    const mine = known.get(replica) ?? []
    if (step.what % 10 < 2) {
      exchange(known, replica === 'cloud' ? 'gw-2' : replica)
      continue
    }
    const { facts } = resolve(BASE, mine)
    const { author, change } = doingOf({ step, facts, replica, id: `${at}` })
    if (change === undefined) continue
    const proposal = ProposalSchema.parse({
      dot: { replica, seq: mine.filter(({ dot }) => dot.replica === replica).length + 1 },
      seen: Object.fromEntries(
        REPLICAS.map((one) => [one, mine.filter(({ dot }) => dot.replica === one).length]),
      ),
      author,
      at: 1,
      change,
    })
    mine.push(proposal)
    made.push(proposal)
  }
  return made
}

function exchange(known: Map<Replica, Proposal[]>, gateway: Replica): void {
  const [cloud, mine] = [known.get('cloud') ?? [], known.get(gateway) ?? []]
  const both = [...cloud, ...mine.filter((one) => !cloud.includes(one))]
  known.set('cloud', both)
  known.set(gateway, [...both])
}

interface Doing {
  readonly step: Step
  readonly facts: PolicyFacts
  readonly replica: Replica
  readonly id: string
}
interface Done {
  readonly author: Author
  readonly change: AccessChange | undefined
}

function doingOf(doing: Doing): Done {
  const here = [grantAdded, grantAdded, grantAdded, grantRemoved, memberRemoved]
  const cloud = [
    roleSet,
    roleSet,
    roleSet,
    teamChanged,
    policyChanged,
    policyChanged,
    linkChanged,
    transferred,
  ]
  const kinds = doing.replica === 'cloud' ? [...here.slice(0, 4), ...cloud] : here
  return pick(kinds, Math.floor(doing.step.what / 10))(doing)
}

/** Mostly somebody who may do it, else nothing would ever happen; sometimes anybody. */
function authorFor({ step, facts, replica }: Doing, action: Right, resource: Resource): Author {
  const able = whoCan({ action, resource, when: WHEN }, compilePolicy(facts)).filter(
    ({ name }) => replica === 'cloud' || name !== 'a0' || step.how % 3 === 0,
  )
  const { org, name } = pick<Pick<Member, 'org' | 'name'>>(
    step.how % 9 === 0 || able.length === 0 ? facts.members : able,
    step.who,
  )
  const incarnation = facts.members.find((one) => one.org === org && one.name === name)?.incarnation ?? 1
  return { org, name, incarnation }
}
const WHEN = { place: 'cloud', at: 1 } as const

function grantAdded(doing: Doing): Done {
  const { step, facts, replica, id } = doing
  // Few things and few people, so that changes meet.
  const on = pick(step.on % 2 === 0 ? THINGS.slice(1, 3) : THINGS, step.on >> 1)
  const author = authorFor(doing, 'share.grant', on)
  const owner = ownerOf(facts, on)
  const anybody: Grantee[] = [
    ...facts.members.map(
      ({ org, name, incarnation }) => ({ kind: 'member', org, name, incarnation }) as const,
    ),
    ...facts.teams.map(({ org, handle }) => ({ kind: 'team', org, team: handle }) as const),
  ]
  const few = anybody.filter((one) => one.kind === 'member' && ['a3', 'b1'].includes(one.name))
  const to = pick(step.how % 3 === 0 || few.length === 0 ? anybody : few, step.whom)
  const via = facts.policies.find((policy) => policy.from === owner?.org && policy.to === to.org)?.id ?? null
  const level = replica === 'cloud' ? pick(['viewer', 'editor', 'editor', 'owner'], step.how) : 'viewer'
  const grant = {
    ...{ id: `g-${replica}-${id}`, on, to, level, ownerEpoch: owner?.ownerEpoch ?? 1, by: author },
    ...{
      via: to.org === owner?.org ? null : via,
      custom: null,
      expiresAt: null,
      offlineTtl: null,
      legacy: false,
    },
  }
  return { author, change: { kind: 'grant.add', grant: grant as Grant } }
}

function grantRemoved(doing: Doing): Done {
  const { step, facts } = doing
  const grant = facts.grants.length === 0 ? undefined : pick(facts.grants, step.on)
  const author = authorFor(doing, 'share.revoke', grant?.on ?? { kind: 'gateway' })
  return { author, change: grant && { kind: 'grant.remove', on: grant.on, to: grant.to } }
}

function memberRemoved(doing: Doing): Done {
  const { org, name } = pick(doing.facts.members, doing.step.whom)
  const author = authorFor(doing, 'member.remove', { kind: 'org', org })
  return { author, change: { kind: 'member.remove', org, name } }
}

function roleSet(doing: Doing): Done {
  const { step, facts } = doing
  const { org, name } = pick(
    BASE.members.filter((one) => one.org === 'acme' || one.name === 'b1' || one.name === 'c1').slice(1),
    step.whom % 2 === 0 ? 0 : step.whom,
  )
  const now = facts.members.find((one) => one.org === org && one.name === name)
  const author = authorFor(doing, 'member.role', { kind: 'org', org })
  const incarnation = now?.incarnation ?? 2 + step.who
  return { author, change: { kind: 'member.set', org, name, role: pick(ROLES, step.how), incarnation } }
}

const someOrg = ({ step }: Doing): Member['org'] => pick(BASE.organisations.slice(0, 3), step.on).id

function teamChanged(doing: Doing): Done {
  const { step, facts } = doing
  const org = pick(facts.teams, step.on).org
  const author = authorFor(doing, 'team.manage', { kind: 'org', org })
  const team = facts.teams.find((one) => one.org === org)
  const { name, incarnation } = pick(
    facts.members.filter((one) => one.org === org),
    step.whom,
  )
  const isIn = team?.members.some((one) => one.name === name) ?? false
  const what = { org, team: team?.handle as TeamHandle, name }
  return {
    author,
    change: isIn ? { kind: 'team.remove', ...what } : { kind: 'team.add', ...what, incarnation },
  }
}

function policyChanged(doing: Doing): Done {
  const { step, facts, id } = doing
  const from = someOrg(doing)
  const to = pick(
    BASE.organisations.filter((org) => org.id !== from),
    step.whom,
  ).id
  const author = authorFor(doing, 'crossorg.manage', { kind: 'org', org: from })
  const isThere = facts.policies.some((policy) => policy.from === from && policy.to === to)
  if (isThere) return { author, change: { kind: 'policy.remove', from, to } }
  const policy = { id: `p-${id}`, from, to, state: 'active', maxLevel: pick(['viewer', 'editor'], step.how) }
  return { author, change: { kind: 'policy.add', policy: { ...policy, offlineTtl: null } as CrossPolicy } }
}

function linkChanged(doing: Doing): Done {
  const org = someOrg(doing)
  const author = authorFor(doing, 'link.terminate', { kind: 'org', org })
  const known = doing.facts.links.find(({ customer }) => customer === org)
  if (known !== undefined) {
    return { author, change: { kind: 'link.remove', partner: known.partner, customer: known.customer } }
  }
  const link = { id: `l-${doing.id}`, partner: 'prime', customer: org, cap: 'super-installer' }
  return { author, change: ProposalSchema.shape.change.parse({ kind: 'link.add', link }) }
}

function transferred(doing: Doing): Done {
  const author = authorFor(doing, 'gw.transfer', { kind: 'gateway' })
  if (doing.step.how % 2 === 0) return { author, change: undefined }
  const to = doing.facts.owner?.org === 'acme' ? BASE_BOLT : BASE_ACME
  return { author, change: { kind: 'transfer', to } }
}
const [BASE_ACME, BASE_BOLT] = [BASE.organisations[0], BASE.organisations[1]].map((org) => org?.id) as [
  Grant['to']['org'],
  Grant['to']['org'],
]

const pick = <T>(from: readonly T[], at: number): T => from[at % from.length] as T

export const resolved = (history: readonly Proposal[], rules?: MergeRules): ReturnType<typeof resolve> =>
  resolve(BASE, history, rules)
