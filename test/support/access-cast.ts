import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { VendorRole } from '../../cloud-sync/access/presets.ts'
import { compilePolicy, decide, type Decision, type Question } from '../../cloud-sync/access/index.ts'
import { PolicyFacts, type Resource, type Right } from '../../cloud-sync/contract/index.ts'

const FOLDER = resolve(import.meta.dirname, '../fixtures/access')

export interface Table {
  readonly heads: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** A table of test/fixtures/access. */
export function tableOf(name: string): Table {
  const cells = readFileSync(join(FOLDER, `${name}.md`), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| --'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
  const [heads = [], ...rows] = cells
  return { heads, rows }
}

type Plain = Record<string, unknown>
export type FactsInput = Partial<Record<keyof PolicyFacts, unknown>>

export const person = (login: string, role: string, more: Plain = {}): Plain => {
  const [org, name] = login.split(':')
  return { org, name, role, incarnation: 1, ...more }
}
export const organisation = (id: string, more: Plain = {}): Plain => ({ id, name: id, ...more })
export const resourceOf = (text: string): Resource => {
  const [kind = '', name = ''] = text.split(' ')
  const [device, sensor] = name.split('/')
  switch (kind) {
    case 'gateway':
      return { kind }
    case 'sensor':
      return { kind, device, sensor } as Resource
    default:
      return { kind, [kind]: name } as Resource
  }
}
export const grant = (id: string, on: string, to: string, level: string, more: Plain = {}): Plain => {
  const [org, name = ''] = to.split(':')
  const grantee = name === '' ? { kind: 'org', org } : { kind: 'member', org, name, incarnation: 1 }
  const toTeam = name.startsWith('@') ? { kind: 'team', org, team: name.slice(1) } : grantee
  return { id, on: resourceOf(on), to: toTeam, level, ownerEpoch: 1, ...more }
}

/** acme: a gateway, devices tilt and crack in the workspace dam, a saved view; olga owns it. `more` replaces or adds. */
export function factsOf(more: FactsInput = {}): PolicyFacts {
  const lists = {
    organisations: [organisation('acme')],
    members: [person('acme:olga', 'owner'), person('acme:mia', 'member')],
    workspaces: [{ id: 'dam', org: 'acme', name: 'dam' }],
    devices: ['tilt', 'crack'].map((id) => ({ id, org: 'acme', ownerEpoch: 1, workspace: 'dam' })),
    items: [{ id: 'v1', type: 'view', org: 'acme', ownerEpoch: 1, workspace: 'dam' }],
  }
  const added = Object.fromEntries(
    Object.entries(lists).map(([name, list]) => [
      name,
      [...list, ...((more[name as keyof typeof lists] as Plain[] | undefined) ?? [])],
    ]),
  )
  return PolicyFacts.parse({
    owner: { org: 'acme', ownerEpoch: 1, workspace: 'dam' },
    ...more,
    ...added,
  })
}

export const CLOUD = { place: 'cloud', at: 1_000 } as const
/** `acme:olga data.read device tilt`: one question in words. */
export function ask(facts: PolicyFacts, words: string, more: Partial<Question> = {}): Decision {
  const [login = '', action, ...on] = words.split(' ')
  const [org, name] = login.split(':')
  const principal = { org, name } as Question['principal']
  const resource = resourceOf(on.join(' '))
  return decide({ principal, action: action as Right, resource, when: CLOUD, ...more }, compilePolicy(facts))
}
export const told = (decision: Decision): string =>
  decision.allowed ? decision.via.join(' ') : decision.because

/** What a vendor's role is asked on: the organisation, the workspace, or the thing that it is about. */
export function askedOn(right: string, on: VendorRole['on']): string {
  const [area = ''] = right.split('.')
  if (['ws.update', 'ws.delete'].includes(right)) return 'workspace dam'
  if (['gw.release', 'gw.transfer', 'device.host', 'gateway.status'].includes(right)) return 'gateway'
  if (area === 'view') return 'item v1'
  if (['device', 'data', 'share', 'alert'].includes(area)) return 'device tilt'
  if (on === 'organisation') return 'org acme'
  return on === 'workspace' ? 'workspace dam' : 'device tilt'
}
