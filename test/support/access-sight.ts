import { compilePolicy, decide, type Decision } from '../../cloud-sync/access/index.ts'
import {
  type Member,
  type PolicyFacts,
  type Resource,
  type Right,
  RIGHTS,
  type Shareable,
} from '../../cloud-sync/contract/index.ts'

export const THINGS: readonly Shareable[] = [
  { kind: 'gateway' },
  ...['tilt', 'crack', 'weir'].map((device) => ({ kind: 'device', device })),
  { kind: 'sensor', device: 'tilt', sensor: 'main' },
  { kind: 'workspace', workspace: 'dam' },
] as Shareable[]
const RIGHTS_ASKED: readonly Right[] = [
  'data.read',
  'device.operate',
  'device.config',
  'share.grant',
  'gateway.status',
]

export const ownerOf = (
  facts: PolicyFacts,
  on: Shareable,
): { org: string; ownerEpoch: number } | undefined => {
  switch (on.kind) {
    case 'gateway':
      return facts.owner ?? undefined
    case 'workspace':
      return facts.workspaces.find(({ id }) => id === on.workspace)
    case 'device':
    case 'sensor':
      return facts.devices.find(({ id }) => id === on.device)
    case 'item':
      return undefined
  }
}

export interface Access {
  readonly org: string
  readonly name: string
  readonly action: Right
  readonly on: Resource
  readonly decision: Decision
}

/** Everything that everybody may do to everything, in the cloud's eyes; as texts, to be compared, and whole. */
export function accessIn(facts: PolicyFacts): {
  readonly texts: ReadonlySet<string>
  readonly all: Access[]
} {
  const compiled = compilePolicy(facts)
  const texts = new Set<string>()
  const all: Access[] = []
  for (const { org, name } of facts.members) {
    for (const action of RIGHTS_ASKED) {
      for (const resource of THINGS) {
        const question = {
          principal: { org, name },
          action,
          resource,
          when: { place: 'cloud', at: 1 } as const,
        }
        const decision = decide(question, compiled)
        if (!decision.allowed) continue
        texts.add(`${org}:${name} ${action} ${JSON.stringify(resource)}`)
        all.push({ org, name, action, on: resource, decision })
      }
    }
  }
  return { texts, all }
}

/** What one may do with what is one's own is given to nobody: not leaving, which is for whoever is there on a grant. */
const GIVEN_RIGHTS = RIGHTS.filter((right) => !right.startsWith('self.'))

/** Whose a thing is. */
const orgOf = (facts: PolicyFacts, on: Resource): string | undefined =>
  on.kind === 'org' ? on.org : ownerOf(facts, on)?.org

/** Asks all rights on all things, those of one organisation where it is named; each as `right thing`. */
export interface Rights {
  of(who: Pick<Access, 'org' | 'name'>): string[]
  has(who: Pick<Access, 'org' | 'name'>, right: string): boolean
}

export function rightsIn(facts: PolicyFacts, org?: string): Rights {
  const compiled = compilePolicy({ ...facts, keys: [] })
  const orgs = facts.organisations.map(({ id }): Resource => ({ kind: 'org', org: id }))
  const asked = new Map(
    [...THINGS, ...orgs]
      .filter((on) => org === undefined || orgOf(facts, on) === org)
      .flatMap((resource) =>
        GIVEN_RIGHTS.map((action) => [`${action} ${JSON.stringify(resource)}`, { resource, action }]),
      ),
  )
  const rights: Rights = {
    of: (who) => [...asked.keys()].filter((right) => rights.has(who, right)),
    has({ org, name }, right) {
      const question = asked.get(right)
      if (question === undefined) return false
      const principal = { org, name } as Member
      const when = { place: 'cloud', at: 1 } as const
      return decide({ principal, ...question, when, about: { stepUp: true } }, compiled).allowed
    },
  }
  return rights
}
