import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compilePolicy, decide, type Decision, type Principal } from '../../../cloud-sync/access/index.ts'
import {
  type PolicySnapshot,
  type Resource,
  type Right,
  RIGHTS,
  StoredPolicySnapshot,
} from '../../../cloud-sync/contract/index.ts'

/** A snapshot of version 1, as gateways still hold it: read as the newest version, and nobody gains. */

const ROLE_OF = { olga: 'owner', adam: 'admin', mia: 'member' } as const
const members = ['acme', 'hydro', 'mine'].flatMap((org) =>
  Object.entries(ROLE_OF).map(([name, role]) => ({ org, name, role, incarnation: 1 })),
)
const device = (id: string, org: string): object => ({
  id,
  org,
  ownerEpoch: 1,
  custodian: null,
  workspace: null,
})
const share = (id: string, on: string, to: string): object => {
  const [deviceId, sensor] = on.split('/')
  const [org, member] = to.split(':')
  return {
    id,
    device: deviceId,
    sensor: sensor ?? null,
    to: { org, member: member ?? null },
    level: 'viewer',
  }
}
const key = (org: string, name: string, member: string): object => ({
  org,
  name,
  member,
  hash: 'ab'.repeat(32),
})

/** acme owns the gateway; hydro's weir is a guest on it; mine has no device there. */
const snapshot = StoredPolicySnapshot.parse({
  v: 1,
  gateway: 'GW-1',
  version: 3,
  issuedAt: 0,
  gatewayOrg: 'acme',
  organisations: ['acme', 'hydro', 'mine'].map((id) => ({ id, name: id })),
  members: [...members, { org: 'gone', name: 'olga', role: 'owner', incarnation: 1 }],
  keys: [
    key('acme', 'scada', 'adam'),
    key('acme', 'logger', 'mia'),
    key('acme', 'orphan', 'left'),
    key('acme', 'olga', 'mia'),
    key('acme', 'both', 'mia'),
    key('acme', 'both', 'adam'),
  ],
  devices: [device('tilt', 'acme'), device('crack', 'acme'), device('weir', 'hydro')],
  shares: [
    share('s1', 'tilt', 'hydro'),
    share('s2', 'crack/joint', 'mine:mia'),
    share('s3', 'tilt/main', 'acme:mia'),
    share('s4', 'weir/level', 'acme'),
  ],
  critical: [],
})

const resourceOf = (text: string): Resource => {
  const [deviceId, sensor] = text.split('/')
  const resource = text === 'gateway' ? { kind: 'gateway' } : { kind: 'device', device: deviceId }
  return (sensor === undefined ? resource : { kind: 'sensor', device: deviceId, sensor }) as Resource
}
const principalOf = (login: string): Principal => {
  const [org, name] = login.split(':')
  return { org, name } as Principal
}

/** Who, what, on what: the paths that allow it, or why not. */
const MATRIX: [login: string, action: Right, on: string, answer: string][] = [
  ['acme:olga2', 'gateway.status', 'gateway', 'unknown-principal'],
  ['acme:mia', 'gateway.status', 'gateway', 'role:member'],
  ['acme:adam', 'gateway.status', 'gateway', 'role:admin'],
  ['hydro:olga', 'gateway.status', 'gateway', 'unknown-resource'],
  ['gone:olga', 'gateway.status', 'gateway', 'unknown-principal'],
  ['acme:adam', 'gateway.status', 'tilt', 'unknown-resource'],
  ['acme:adam', 'device.status', 'gateway', 'unknown-resource'],

  ['acme:adam', 'device.status', 'tilt', 'role:admin'],
  ['acme:adam', 'device.status', 'weir', 'host'],
  ['acme:mia', 'device.status', 'weir', 'role'],
  ['hydro:mia', 'device.status', 'weir', 'role'],
  ['hydro:olga', 'device.status', 'tilt', 'org/grant:s1'],
  ['hydro:olga', 'device.status', 'crack', 'unknown-resource'],
  ['mine:mia', 'device.status', 'crack', 'unknown-resource'],
  ['mine:mia', 'device.status', 'crack/joint', 'grant:s2'],

  ['acme:adam', 'data.read', 'tilt/main', 'role:admin'],
  ['acme:mia', 'data.read', 'tilt/main', 'grant:s3'],
  ['acme:mia', 'data.read', 'tilt/other', 'role'],
  ['acme:mia', 'data.read', 'tilt', 'role'],
  ['acme:mia', 'data.read', 'weir/level', 'org/grant:s4'],
  ['acme:adam', 'data.read', 'weir/flow', 'unknown-resource'],
  ['acme:adam', 'data.read', 'weir', 'unknown-resource'],
  ['hydro:mia', 'data.read', 'tilt/anything', 'org/grant:s1'],
  ['hydro:mia', 'data.read', 'tilt', 'org/grant:s1'],
  ['hydro:mia', 'data.read', 'weir/level', 'role'],
  ['hydro:olga', 'data.read', 'weir/level', 'role:owner'],
  ['mine:mia', 'data.read', 'crack/joint', 'grant:s2'],
  ['mine:olga', 'data.read', 'crack/joint', 'unknown-resource'],
  ['mine:mia', 'data.read', 'crack/other', 'unknown-resource'],
  ['acme:adam', 'data.read', 'nowhere/main', 'unknown-resource'],
  ['acme:adam', 'data.read', 'gateway', 'role:admin'],

  ['acme:adam', 'device.operate', 'tilt', 'role:admin'],
  ['acme:mia', 'device.operate', 'tilt/main', 'role'],
  ['hydro:olga', 'device.operate', 'tilt', 'role'],
  ['acme:adam', 'device.operate', 'weir', 'unknown-resource'],
  ['hydro:adam', 'device.operate', 'weir', 'role:admin'],

  ['acme:adam', 'usage.read', 'gateway', 'cloud-only'],
  ['acme:mia', 'usage.read', 'gateway', 'role'],
  ['hydro:adam', 'usage.read', 'weir/level', 'cloud-only'],
  ['acme:adam', 'usage.read', 'weir/level', 'role'],

  ['acme:scada', 'device.operate', 'tilt', 'key:scada role:admin'],
  ['acme:logger', 'data.read', 'tilt/main', 'key:logger grant:s3'],
  ['acme:logger', 'device.operate', 'tilt', 'role'],
  ['acme:orphan', 'gateway.status', 'gateway', 'unknown-principal'],
  // A key of a plain member is called like the owner: it stands in her way no more than it acts as her.
  ['acme:olga', 'device.operate', 'tilt', 'role:owner'],
  // A name that keys of two members bear is nobody's.
  ['acme:both', 'gateway.status', 'gateway', 'unknown-principal'],
]
const WHEN = { place: 'gateway', at: 1, signed: true } as const
const told = (decision: Decision): string => (decision.allowed ? decision.via.join(' ') : decision.because)

test.for(MATRIX)('%s %s %s: %s', ([login, action, on, answer]) => {
  const question = { principal: principalOf(login), action, resource: resourceOf(on), when: WHEN }
  expect(told(decide(question, compilePolicy(snapshot)))).toBe(answer)
})

test.for(RIGHTS)('%s is refused where there is no snapshot', (action) => {
  const question = { principal: principalOf('acme:adam'), action, resource: resourceOf('tilt'), when: WHEN }
  expect(decide(question, undefined)).toEqual({ allowed: false, because: 'no-policy' })
})

const orgs = fc.constantFrom('acme', 'hydro', 'mine')
const names = fc.constantFrom('olga', 'adam', 'mia', 'key1')
const devices = fc.constantFrom('tilt', 'weir')
const sensors = fc.constantFrom('main', 'level')
const anySnapshot = fc
  .record({
    v: fc.constant(1),
    gateway: fc.constant('GW-1'),
    version: fc.constant(1),
    issuedAt: fc.constant(0),
    gatewayOrg: orgs,
    organisations: fc.subarray(['acme', 'hydro', 'mine']).map((ids) => ids.map((id) => ({ id, name: id }))),
    members: fc.array(
      fc.record({
        org: orgs,
        name: names,
        role: fc.constantFrom('owner', 'admin', 'member'),
        incarnation: fc.constant(1),
      }),
      { maxLength: 8 },
    ),
    keys: fc.array(
      fc.tuple(orgs, names, names).map(([org, name, member]) => key(org, name, member)),
      {
        maxLength: 4,
      },
    ),
    devices: fc.array(
      fc.tuple(devices, orgs).map(([id, org]) => device(id, org)),
      { maxLength: 3 },
    ),
    shares: fc.array(
      fc.record({
        id: fc.stringMatching(/^[a-z]{2}$/),
        device: devices,
        sensor: fc.option(sensors),
        to: fc.record({ org: orgs, member: fc.option(names) }),
        level: fc.constant('viewer'),
      }),
      { maxLength: 6 },
    ),
    critical: fc.constant([]),
  })
  .map((plain) => StoredPolicySnapshot.parse(plain))
const anyResource = fc.oneof(
  fc.constant({ kind: 'gateway' }),
  devices.map((id) => ({ kind: 'device', device: id })),
  fc.tuple(devices, sensors).map(([id, sensor]) => ({ kind: 'sensor', device: id, sensor })),
) as fc.Arbitrary<Resource>
const anyQuestion = fc.record({
  principal: fc.record({ org: orgs, name: names }) as fc.Arbitrary<Principal>,
  action: fc.constantFrom(...RIGHTS),
  resource: anyResource,
  when: fc.constantFrom(WHEN, { place: 'cloud', at: 1 } as const),
})
const decided = (question: Parameters<typeof decide>[0], policy: PolicySnapshot): Decision =>
  decide(question, compilePolicy(policy))

test('the order of the lists changes nothing, and an answer that is remembered is the same', () => {
  fc.assert(
    fc.property(anySnapshot, anyQuestion, (random, question) => {
      const compiled = compilePolicy(random)
      const answer = decide(question, compiled)
      expect(decide(question, compiled)).toEqual(answer)
      const turned = Object.fromEntries(
        Object.entries(random).map(([name, part]) => [name, Array.isArray(part) ? part.toReversed() : part]),
      ) as PolicySnapshot
      expect(decided(question, turned)).toEqual(answer)
    }),
    { numRuns: 2000 },
  )
})

test('an API key never gets what its member does not', () => {
  fc.assert(
    fc.property(anySnapshot, anyQuestion, (random, question) => {
      for (const { org, name, member } of random.keys) {
        // A member's name is that member, whoever's key is called so too.
        if (random.members.some((one) => one.org === org && one.name === name && name !== member)) continue
        const ofKey = decided({ ...question, principal: { org, name } }, random)
        if (!ofKey.allowed) continue
        const ofMember = { ...question, principal: { org, name: member } }
        expect(decided(ofMember, { ...random, keys: [] }).allowed).toBe(true)
      }
    }),
    { numRuns: 2000 },
  )
})

test('another grant never takes a right away', () => {
  fc.assert(
    fc.property(anySnapshot, anyQuestion, (random, question) => {
      const less = decided(question, { ...random, grants: random.grants.slice(1) }).allowed
      if (less) expect(decided(question, random).allowed).toBe(true)
    }),
  )
})
