import { expect, test } from 'vitest'
import { LocalPolicy } from '../../../agent/policy/local-policy.ts'
import { GatewayId, StoredPolicySnapshot } from '../../../cloud-sync/contract/index.ts'

const gateway = GatewayId.parse('GW-1')
const when = () => ({ place: 'gateway', at: 1, signed: true }) as const

test('a topic is of the organisation that owns its device, else of the gateway', () => {
  const policy = new LocalPolicy({ gateway, anonymous: 'none', when })
  expect(policy.ownerOf('headgate/GW-1/tilt/in')).toBe(undefined)
  policy.apply(
    StoredPolicySnapshot.parse({
      ...{ v: 1, gateway, version: 1, issuedAt: 0, gatewayOrg: 'acme', critical: [] },
      organisations: [
        { id: 'acme', name: 'Acme' },
        { id: 'guest', name: 'Guest' },
      ],
      ...{ members: [], keys: [], shares: [] },
      devices: [
        { id: 'tilt', org: 'acme', ownerEpoch: 1, custodian: null, workspace: null },
        { id: 'level', org: 'guest', ownerEpoch: 1, custodian: null, workspace: null },
      ],
    }),
  )
  const owners = ['GW-1/level/in', 'GW-1/tilt/main/readings', 'GW-1/new/in', 'GW-1/status', 'GW-2/level/in']
  expect(owners.map((topic) => policy.ownerOf(`headgate/${topic}`))).toEqual([
    'guest',
    ...Array<string>(4).fill('acme'),
  ])
})
