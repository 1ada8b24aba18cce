import { expect, test } from 'vitest'
import { Owners } from '../../../agent/owners.ts'
import { ChangesHere } from '../../../agent/policy/changes-here.ts'
import { unnamedOwner, withConfigured } from '../../../agent/policy/device-owner.ts'
import { PolicyInForce } from '../../../agent/policy/in-force.ts'
import { LocalPolicy } from '../../../agent/policy/local-policy.ts'
import {
  DeviceId,
  GatewayId,
  type MemberName,
  type OrgId,
  PolicySnapshot,
  type Resource,
} from '../../../cloud-sync/contract/index.ts'

const device = (id: string): DeviceId => DeviceId.parse(id)
const [acme, guest] = ['acme' as OrgId, 'guest' as OrgId]
const when = () => ({ place: 'gateway', at: 1, signed: true }) as const
const configured = [
  { id: device('plain'), organisation: null },
  { id: device('proposed'), organisation: acme },
  { id: device('foreign'), organisation: guest },
]

const policyWith = (owner: object = {}, devices: readonly object[] = []): PolicySnapshot =>
  PolicySnapshot.parse({
    ...{ v: 2, gateway: 'GW-1', version: 1, issuedAt: 0, critical: [] },
    owner: { org: 'acme', ownerEpoch: 3, custodian: 'ana', claim: 'provisional', ...owner },
    organisations: [
      { id: 'acme', name: 'Acme' },
      { id: 'guest', name: 'Guest' },
    ],
    members: [
      { org: 'acme', name: 'ana', role: 'owner', incarnation: 1 },
      { org: 'acme', name: 'mia', role: 'member', incarnation: 1 },
      { org: 'guest', name: 'ben', role: 'owner', incarnation: 1 },
    ],
    devices,
  })

function readersOf(policy: PolicySnapshot): Record<string, string[]> {
  const inForce = new PolicyInForce(when, configured)
  inForce.apply(policy)
  const people = [
    { org: acme, name: 'ana' as MemberName },
    { org: guest, name: 'ben' as MemberName },
  ]
  const mayRead = (id: DeviceId, principal: (typeof people)[number]): boolean =>
    inForce.decide({ principal, action: 'data.read', resource: { kind: 'device', device: id } }).allowed
  return Object.fromEntries(
    configured.map(({ id }) => [
      id,
      people.filter((one) => mayRead(id, one)).map(({ name }): string => name),
    ]),
  )
}

const foreign = { id: 'foreign', org: 'guest', ownerEpoch: 1 }
const nobody = { plain: [], proposed: [], foreign: [] }
test.for<readonly [string, PolicySnapshot, object]>([
  ['claimed on site', policyWith(), { plain: ['ana'], proposed: ['ana'], foreign: [] }],
  ['confirmed', policyWith({ claim: 'claimed' }), { plain: ['ana'], proposed: ['ana'], foreign: [] }],
  [
    'confirmed, with the guest in the directory',
    policyWith({ claim: 'claimed' }, [foreign]),
    { plain: ['ana'], proposed: ['ana'], foreign: ['ben'] },
  ],
  [
    'with a device that the directory gives to somebody else than the configuration',
    policyWith({ claim: 'claimed' }, [{ ...foreign, id: 'proposed' }]),
    { plain: ['ana'], proposed: ['ben'], foreign: [] },
  ],
  [
    'another’s than the configuration says',
    policyWith({ org: 'guest' }),
    { ...nobody, plain: ['ben'], foreign: ['ben'] },
  ],
  ['in dispute', policyWith({ claim: 'disputed' }), nobody],
  ['nobody’s', policyWith({ org: 'unclaimed', claim: 'unclaimed' }), nobody],
])('who reads configured devices of a gateway that is %s', ([, policy, expected]) => {
  expect(readersOf(policy)).toEqual(expected)
})

test('a device that the policy does not name is the owner’s in the gateway’s epoch, in nobody’s custody, and counted so', () => {
  const policy = policyWith()
  const owner = { org: 'acme', ownerEpoch: 3, custodian: null, workspace: null }
  expect(withConfigured(policy, configured).devices.map(({ id }) => id)).toEqual(['plain', 'proposed'])
  expect(withConfigured(policy, configured).devices[0]).toMatchObject(owner)
  expect(unnamedOwner(policy)).toEqual(owner)
  expect(new Owners({ proposed: new Map(), organisation: guest }, policy).of(device('plain'))).toEqual(owner)
})

test.for<readonly [string, object, boolean]>([
  ['an owner’s', { claim: 'claimed' }, true],
  ['nobody’s', { org: 'unclaimed', claim: 'unclaimed' }, false],
  ['in dispute', { org: 'unclaimed', claim: 'disputed' }, false],
])('without a login a configured device of a gateway that is %s is seen: %s', async ([, owner, expected]) => {
  const policy = new LocalPolicy({ gateway: GatewayId.parse('GW-1'), anonymous: 'read', when, configured })
  policy.apply(policyWith(owner))
  const answer = await policy.connect({
    ...{ clientId: 'c', remote: 'test', transport: 'tcp', certificate: null },
    ...{ username: null, password: null },
  })
  if (!answer.allowed) throw new Error(answer.because)
  const sees = (id: string) => policy.mayReceive(answer.principal, `headgate/GW-1/${id}/main/readings`)
  expect([sees('plain'), sees('foreign')]).toEqual([expected, false])
})

test('what only the configuration names is not shared on site: the cloud would take it back', async () => {
  const inForce = new PolicyInForce(when, configured)
  inForce.apply(policyWith({ claim: 'claimed' }, [{ id: 'proposed', org: 'acme', ownerEpoch: 1 }]))
  const changes = new ChangesHere({ inForce, changes: { make: () => Promise.reject(new Error('made')) } })
  const ana = { org: acme, name: 'ana' as MemberName }
  const to = { kind: 'member', ...ana, name: 'mia' as MemberName, incarnation: 1 } as const
  const share = async (id: string) =>
    changes.share(
      { principal: ana, author: { ...ana, incarnation: 1 } },
      { on: { kind: 'device', device: device(id) }, to },
    )
  await expect(share('proposed')).rejects.toThrow('made')
  await expect(share('plain')).rejects.toThrow('the directory does not know plain yet')
})

test('a device that was removed from the directory, and is still read here, is shown to nobody by an older share', () => {
  const inForce = new PolicyInForce(when, configured)
  const mia = { kind: 'member', org: 'acme', name: 'mia', incarnation: 1 }
  // Of the epoch that the device gets with its gateway's owner.
  const shared = { level: 'viewer', ownerEpoch: 3, via: null, to: mia }
  const grants = [
    { ...shared, id: 'of-device', on: { kind: 'device', device: 'plain' } },
    { ...shared, id: 'of-sensor', on: { kind: 'sensor', device: 'plain', sensor: 'main' } },
  ]
  const may = (resource: object): boolean =>
    inForce.decide({
      principal: { org: acme, name: 'mia' as MemberName },
      action: 'data.read',
      resource: resource as Resource,
    }).allowed
  const named = policyWith({ claim: 'claimed' }, [{ id: 'plain', org: 'acme', ownerEpoch: 3 }])
  inForce.apply(PolicySnapshot.parse({ ...named, grants }))
  expect(grants.map(({ on }) => may(on))).toEqual([true, true])
  inForce.apply(PolicySnapshot.parse({ ...policyWith({ claim: 'claimed' }), grants }))
  expect(grants.map(({ on }) => may(on))).toEqual([false, false])
})
