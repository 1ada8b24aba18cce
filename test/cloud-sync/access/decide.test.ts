import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  ACTIONS,
  type Action,
  compilePolicy,
  decide,
  type Principal,
  type Resource,
} from '../../../cloud-sync/access/index.ts'
import { PolicySnapshotV1 } from '../../../cloud-sync/contract/index.ts'

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
const snapshot = PolicySnapshotV1.parse({
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
const MATRIX: [login: string, action: Action, on: string, answer: string][] = [
  ['acme:olga2', 'gateway.status', 'gateway', 'unknown-principal'],
  ['acme:mia', 'gateway.status', 'gateway', 'role:member'],
  ['acme:adam', 'gateway.status', 'gateway', 'role:admin'],
  ['hydro:olga', 'gateway.status', 'gateway', 'not-shared'],
  ['gone:olga', 'gateway.status', 'gateway', 'unknown-principal'],
  ['acme:adam', 'gateway.status', 'tilt', 'unknown-resource'],
  ['acme:adam', 'device.status', 'gateway', 'unknown-resource'],

  ['acme:adam', 'device.status', 'tilt', 'host role:admin'],
  ['acme:mia', 'device.status', 'weir', 'host'],
  ['hydro:mia', 'device.status', 'weir', 'role:member'],
  ['hydro:olga', 'device.status', 'tilt', 'share:s1'],
  ['hydro:olga', 'device.status', 'crack', 'not-shared'],
  ['mine:mia', 'device.status', 'crack', 'not-shared'],
  ['mine:mia', 'device.status', 'crack/joint', 'share:s2'],

  ['acme:adam', 'data.read', 'tilt/main', 'role:admin'],
  ['acme:mia', 'data.read', 'tilt/main', 'share:s3'],
  ['acme:mia', 'data.read', 'tilt/other', 'role'],
  ['acme:mia', 'data.read', 'tilt', 'role'],
  ['acme:mia', 'data.read', 'weir/level', 'share:s4'],
  ['acme:olga', 'data.read', 'weir/level', 'key:olga share:s4'],
  ['acme:adam', 'data.read', 'weir/flow', 'not-shared'],
  ['acme:adam', 'data.read', 'weir', 'not-shared'],
  ['hydro:mia', 'data.read', 'tilt/anything', 'share:s1'],
  ['hydro:mia', 'data.read', 'tilt', 'share:s1'],
  ['hydro:mia', 'data.read', 'weir/level', 'role'],
  ['hydro:olga', 'data.read', 'weir/level', 'role:owner'],
  ['mine:mia', 'data.read', 'crack/joint', 'share:s2'],
  ['mine:olga', 'data.read', 'crack/joint', 'not-shared'],
  ['mine:mia', 'data.read', 'crack/other', 'not-shared'],
  ['acme:adam', 'data.read', 'nowhere/main', 'unknown-resource'],
  ['acme:adam', 'data.read', 'gateway', 'unknown-resource'],

  ['acme:adam', 'device.operate', 'tilt', 'role:admin'],
  ['acme:mia', 'device.operate', 'tilt/main', 'role'],
  ['hydro:olga', 'device.operate', 'tilt', 'role'],
  ['acme:adam', 'device.operate', 'weir', 'not-shared'],
  ['hydro:adam', 'device.operate', 'weir', 'role:admin'],

  ['acme:adam', 'usage.read', 'gateway', 'role:admin'],
  ['acme:mia', 'usage.read', 'gateway', 'role'],
  ['hydro:adam', 'usage.read', 'weir/level', 'role:admin'],
  ['acme:adam', 'usage.read', 'weir/level', 'role'],

  ['acme:scada', 'device.operate', 'tilt', 'key:scada role:admin'],
  ['acme:logger', 'data.read', 'tilt/main', 'key:logger share:s3'],
  ['acme:logger', 'device.operate', 'tilt', 'role'],
  ['acme:orphan', 'gateway.status', 'gateway', 'unknown-principal'],
  // A key called like the owner acts for a plain member: the name gets no more than either.
  ['acme:olga', 'device.operate', 'tilt', 'role'],
]
const told = (decision: ReturnType<typeof decide>): string =>
  decision.allowed ? decision.via.join(' ') : decision.because

test.for(MATRIX)('%s %s %s: %s', ([login, action, on, answer]) => {
  const question = { principal: principalOf(login), action, resource: resourceOf(on) }
  expect(told(decide({ ...question, snapshot }))).toBe(answer)
  expect(told(compilePolicy(snapshot).decide(question.principal, action, question.resource))).toBe(answer)
})

test.for(ACTIONS)('%s is refused where there is no snapshot', (action) => {
  const question = { principal: principalOf('acme:adam'), action, resource: resourceOf('tilt') }
  expect(decide({ ...question, snapshot: undefined })).toEqual({ allowed: false, because: 'no-policy' })
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
  .map((plain) => PolicySnapshotV1.parse(plain))
const anyResource = fc.oneof(
  fc.constant({ kind: 'gateway' }),
  devices.map((id) => ({ kind: 'device', device: id })),
  fc.tuple(devices, sensors).map(([id, sensor]) => ({ kind: 'sensor', device: id, sensor })),
) as fc.Arbitrary<Resource>
const anyQuestion = fc.record({
  principal: fc.record({ org: orgs, name: names }) as fc.Arbitrary<Principal>,
  action: fc.constantFrom(...ACTIONS),
  resource: anyResource,
})

test('the compiled policy answers as the plain one, and the order of the lists changes nothing', () => {
  fc.assert(
    fc.property(anySnapshot, anyQuestion, (random, question) => {
      const answer = decide({ ...question, snapshot: random })
      expect(compilePolicy(random).decide(question.principal, question.action, question.resource)).toEqual(
        answer,
      )
      const turned = {
        ...random,
        organisations: random.organisations.toReversed(),
        members: random.members.toReversed(),
        keys: random.keys.toReversed(),
        devices: random.devices.toReversed(),
        shares: random.shares.toReversed(),
      }
      expect(decide({ ...question, snapshot: turned })).toEqual(answer)
    }),
    { numRuns: 2000 },
  )
})

test('an API key never gets what its member does not', () => {
  fc.assert(
    fc.property(anySnapshot, anyQuestion, (random, question) => {
      for (const { org, name, member } of random.keys) {
        const ofKey = decide({ ...question, principal: { org, name }, snapshot: random })
        if (!ofKey.allowed) continue
        expect(
          decide({ ...question, principal: { org, name: member }, snapshot: { ...random, keys: [] } })
            .allowed,
        ).toBe(true)
      }
    }),
    { numRuns: 2000 },
  )
})

test('another share never takes a right away', () => {
  fc.assert(
    fc.property(anySnapshot, anyQuestion, (random, question) => {
      const more = decide({ ...question, snapshot: random }).allowed
      const less = decide({ ...question, snapshot: { ...random, shares: random.shares.slice(1) } }).allowed
      if (less) expect(more).toBe(true)
    }),
  )
})
