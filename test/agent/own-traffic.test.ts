import { expect, test } from 'vitest'
import { hostOf } from '../../agent/cellular-link.ts'
import type { Claim } from '../../agent/cellular/index.ts'
import { type ConnectionTotals, OwnTrafficMeter } from '../../agent/own-traffic.ts'
import type {
  MemberName,
  OrgId,
  PolicySnapshot,
  Subject,
  WorkspaceId,
} from '../../cloud-sync/contract/index.ts'
import { OWNER } from '../support/store.ts'

const INTERFACES: Record<string, string> = { '10.0.0.7': 'wwan0', '192.168.1.7': 'eth0' }

function connection() {
  let totals: ConnectionTotals = { bytes: 0, pings: 0, localAddress: null }
  let claims: Claim[] = []
  let interfaces = INTERFACES
  const meter = new OwnTrafficMeter({
    totals: () => totals,
    claims: () => claims.splice(0),
    interfaceOf: (address) => interfaces[address] ?? null,
  })
  return {
    meter,
    opens: (localAddress: string) => void (totals = { ...totals, localAddress }),
    closes: () => void (totals = { ...totals, localAddress: null }),
    losesAddress: () => void (interfaces = {}),
    sends(bytes: bigint) {
      meter.look()
      totals = { ...totals, bytes: totals.bytes + Number(bytes) }
      const subject = 'sensor:guest/main' as Subject
      claims = [...claims, { subject, owner: OWNER, payload: bytes, packets: bytes }]
    },
    taken: () =>
      [...meter.take()].map(([iface, used]) => [
        iface,
        used.claims.reduce((sum, { payload }) => sum + payload, 0n),
        used.protocol,
      ]),
  }
}

test('what a connection carried is its interface’s also where it is closed when the counters are read', () => {
  const link = connection()
  link.opens('10.0.0.7')
  link.sends(50_000n)
  link.closes()
  expect(link.taken()).toEqual([['wwan0', 50_000n, 0n]])
  expect(link.taken()).toEqual([])
})

test('an interface that has lost its address meanwhile still carried it', () => {
  const link = connection()
  link.opens('10.0.0.7')
  link.sends(100n)
  link.losesAddress()
  expect(link.taken()).toEqual([['wwan0', 100n, 0n]])
})

test('connections that went by two interfaces between two looks are each their own’s', () => {
  const link = connection()
  link.opens('10.0.0.7')
  link.sends(100n)
  link.closes()
  link.opens('192.168.1.7')
  link.sends(900n)
  expect(link.taken()).toEqual([
    ['wwan0', 100n, 0n],
    ['eth0', 900n, 0n],
  ])
})

test('nothing is claimed of an interface that nobody knows', () => {
  const link = connection()
  link.opens('172.16.0.1')
  link.sends(100n)
  expect(link.taken()).toEqual([])
})

test('who looks after the gateway, and where it is, pay for what is nobody else’s from the moment the policy says so', () => {
  let owner: Pick<PolicySnapshot['owner'], 'org' | 'ownerEpoch' | 'custodian' | 'workspace'> = OWNER
  const host = hostOf('home' as OrgId, () => ({ owner: owner as PolicySnapshot['owner'] }))
  const first = host()
  owner = { ...OWNER, custodian: 'ana' as MemberName, workspace: 'north' as WorkspaceId }
  expect(host()).toEqual({ ...OWNER, custodian: 'ana', workspace: 'north' })
  // The same object while nothing changes, and another one only then.
  expect(host()).toBe(host())
  expect(first).toEqual(OWNER)
  expect(hostOf('home' as OrgId, () => null)()).toEqual({
    ...{ org: 'home', ownerEpoch: 1, custodian: null, workspace: null },
  })
})
