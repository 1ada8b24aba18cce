import { type CompiledPolicy, decide, type Principal, type When } from '../../cloud-sync/access/index.ts'
import type { DeviceId, PolicySnapshot, Resource, Right } from '../../cloud-sync/contract/index.ts'

/** A policy as it was or is in force. */
export interface Held {
  readonly snapshot: PolicySnapshot
  readonly compiled: CompiledPolicy
}

interface Change {
  readonly before: Held | undefined
  readonly after: Held | undefined
  readonly when: When
}

/**
 * Who has lost something with this change: something they could receive before and cannot now, or something of a device
 * that is another owner's now: what waits for them was the owner's before. Those whose own part of
 * the policy is the same as before are not looked at closer, so a change for one costs the others nothing.
 */
export function lossesBetween({ before, after, when }: Change): (principal: Principal) => boolean {
  if (before === undefined) return () => false
  if (after === undefined) return () => true
  const isSameField = fieldText(before.snapshot) === fieldText(after.snapshot)
  const [textBefore, textAfter] = [ownTexts(before.snapshot), ownTexts(after.snapshot)]
  const questions = questionsAbout(before.snapshot)
  const moved = devicesThatChangedHands({ before, after })
  const isMoved = (on: Resource): boolean => 'device' in on && moved.has(on.device)
  return (principal) => {
    if (isSameField && textBefore(principal) === textAfter(principal)) return false
    return questions.some(({ action, resource }) => {
      const may = ({ compiled }: Held): boolean =>
        decide({ principal, action, resource, when }, compiled).allowed
      return may(before) && (isMoved(resource) || !may(after))
    })
  }
}

/** Devices whose retained messages are another owner's, or nobody's any more. */
export function devicesThatChangedHands({ before, after }: Omit<Change, 'when'>): ReadonlySet<DeviceId> {
  const now = new Map(after?.snapshot.devices.map((device) => [device.id, device]))
  const changed = (before?.snapshot.devices ?? []).filter(({ id, org, ownerEpoch }) => {
    const device = now.get(id)
    return device?.org !== org || device.ownerEpoch !== ownerEpoch
  })
  return new Set(changed.map(({ id }) => id))
}

interface Question {
  readonly action: Right
  readonly resource: Resource
}

/** Everything whose topics somebody may receive. */
function questionsAbout({ devices, sensors, grants }: PolicySnapshot): Question[] {
  const gateway: Question = { action: 'gateway.status', resource: { kind: 'gateway' } }
  const ofDevices = devices.flatMap(({ id: device }): Question[] =>
    (['data.read', 'device.status', 'device.operate'] as const).map((action) => ({
      action,
      resource: { kind: 'device', device },
    })),
  )
  const granted = grants.flatMap(({ on }) => (on.kind === 'sensor' ? [on] : []))
  const listed = sensors.map(({ device, sensor }) => ({ kind: 'sensor', device, sensor }) as const)
  const ofSensors = [...listed, ...granted].map((resource): Question => ({ action: 'data.read', resource }))
  return [gateway, ...ofDevices, ...ofSensors]
}

/** What the answers to everybody depend on. */
const fieldText = (snapshot: PolicySnapshot): string => {
  const { owner, organisations, roles, workspaces, devices, sensors, policies } = snapshot
  return JSON.stringify([owner, organisations, roles, workspaces, devices, sensors, policies])
}

/** What the answers to somebody depend on besides. Sorted by whom it is about once: it is asked for everybody. */
function ownTexts(snapshot: PolicySnapshot): (principal: Principal) => string {
  const { keys, members, teams, grants, links } = snapshot
  const keysOf = byName(keys, nameOf)
  const membersOf = byName(members, nameOf)
  const toOne = byName(grants, ({ to }) => (to.kind === 'member' ? nameOf(to) : to.org))
  const teamsOf = byName(teams, ({ org }) => org)
  const linksOf = byName(links, ({ partner }) => partner)
  return ({ org, name }) => {
    const own = keysOf.get(nameOf({ org, name })) ?? []
    const names = [...new Set<string>([name, ...own.map(({ member }) => member)])]
    const people = names.map((one) => nameOf({ org, name: one }))
    return JSON.stringify([
      own,
      people.map((one) => membersOf.get(one)),
      teamsOf.get(org),
      [org, ...people].map((to) => toOne.get(to)),
      linksOf.get(org),
    ])
  }
}

function byName<T>(all: readonly T[], nameOf: (one: T) => string): Map<string, T[]> {
  const sorted = new Map<string, T[]>()
  for (const one of all) {
    const name = nameOf(one)
    const known = sorted.get(name)
    if (known === undefined) sorted.set(name, [one])
    else known.push(one)
  }
  return sorted
}

const nameOf = ({ org, name }: { readonly org: string; readonly name: string }): string => `${org}:${name}`
