import { compilePolicy, decide, type Decision } from '../../cloud-sync/access/index.ts'
import type { PolicyFacts, Resource, Right, Shareable } from '../../cloud-sync/contract/index.ts'

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
