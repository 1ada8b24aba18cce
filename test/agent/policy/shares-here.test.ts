import { expect, test } from 'vitest'
import { ChangesHere } from '../../../agent/policy/changes-here.ts'
import { PolicyInForce } from '../../../agent/policy/in-force.ts'
import { DeviceId, type MemberName, type OrgId, PolicySnapshot } from '../../../cloud-sync/contract/index.ts'

const AT = 1_000
const DAYS_3_MS = 72 * 3_600_000
const mia = { kind: 'member', org: 'acme', name: 'mia', incarnation: 1 } as const

/** What becomes of showing tilt to mia on site, who has this share of it already: `made` where the change is made. */
async function shared(there: object): Promise<string> {
  const inForce = new PolicyInForce(() => ({ place: 'gateway', at: AT, signed: true }), [])
  const grant = {
    id: 'g1',
    on: { kind: 'device', device: 'tilt' },
    to: mia,
    level: 'viewer',
    ownerEpoch: 2,
    ...there,
  }
  inForce.apply(
    PolicySnapshot.parse({
      ...{ v: 2, gateway: 'GW-1', version: 1, issuedAt: 0, critical: [] },
      owner: { org: 'acme', ownerEpoch: 1, claim: 'claimed' },
      organisations: [{ id: 'acme', name: 'Acme' }],
      members: [
        { org: 'acme', name: 'ana', role: 'owner', incarnation: 1 },
        { org: 'acme', name: 'mia', role: 'member', incarnation: 1 },
      ],
      devices: [{ id: 'tilt', org: 'acme', ownerEpoch: 2 }],
      grants: [grant],
    }),
  )
  const changes = new ChangesHere({ inForce, changes: { make: () => Promise.reject(new Error('made')) } })
  const ana = { org: 'acme' as OrgId, name: 'ana' as MemberName }
  const on = { kind: 'device', device: DeviceId.parse('tilt') } as const
  const to = { ...mia, org: ana.org, name: 'mia' as MemberName }
  try {
    await changes.share({ principal: ana, author: { ...ana, incarnation: 1 } }, { on, to })
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

const refused = 'they have that already, or more; end that share first'
test.for([
  ['a permanent one', {}, refused],
  ['a higher one', { level: 'owner' }, refused],
  ['a higher one that ends sooner', { level: 'editor', expiresAt: AT + 1 }, refused],
  ['one that ends later', { expiresAt: AT + DAYS_3_MS + 1 }, refused],
  ['one that ends sooner', { expiresAt: AT + DAYS_3_MS - 1 }, 'made'],
  ['one that has ended', { level: 'owner', expiresAt: AT }, 'made'],
  ['one of an earlier owner', { ownerEpoch: 1 }, 'made'],
  ['one of an earlier membership', { to: { ...mia, incarnation: 2 } }, 'made'],
] as const)('a share on site never takes the place of more: %s', async ([, there, expected]) => {
  expect(await shared(there)).toContain(expected)
})
