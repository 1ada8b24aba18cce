import { expect, test } from 'vitest'
import { authenticate } from '../../../cloud-sync/access/index.ts'
import { sameHash, sha256 } from '../../../cloud-sync/codec/index.ts'
import { StoredPolicySnapshot } from '../../../cloud-sync/contract/index.ts'

const hashOf = (key: string): ReturnType<typeof sha256> => sha256(new TextEncoder().encode(key))
const key = (name: string, member: string, secret: string): object => ({
  org: 'acme',
  name,
  member,
  hash: hashOf(secret),
})
const snapshot = StoredPolicySnapshot.parse({
  v: 1,
  gateway: 'GW-1',
  version: 1,
  issuedAt: 0,
  gatewayOrg: 'acme',
  organisations: [{ id: 'acme', name: 'Acme' }],
  members: [{ org: 'acme', name: 'ana', role: 'admin', incarnation: 1 }],
  keys: [key('scada', 'ana', 'first'), key('scada', 'ana', 'second'), key('orphan', 'left', 'third')],
  devices: [],
  shares: [],
  critical: [],
})

test.for([
  ['acme:scada', 'first', true],
  ['acme:scada', 'second', true],
  ['acme:scada', 'third', false],
  ['acme:scada', '', false],
  ['acme:ana', 'first', false],
  ['acme:orphan', 'third', false],
  ['hydro:scada', 'first', false],
  ['acme:scada:x', 'first', false],
  ['scada', 'first', false],
  ['', 'first', false],
  ['ACME:scada', 'first', false],
] as const)('%s with the key %j: %s', ([username, secret, ok]) => {
  const answer = authenticate({ snapshot, username, keyHash: hashOf(secret), equal: sameHash })
  expect(answer).toMatchObject(
    ok ? { ok: true, principal: { org: 'acme', name: 'scada' } } : { ok: false, because: 'bad-credentials' },
  )
})

test('nobody logs in where there is no snapshot', () => {
  const question = { snapshot: undefined, username: 'acme:scada', keyHash: hashOf('first'), equal: sameHash }
  expect(authenticate(question)).toEqual({ ok: false, because: 'no-policy' })
})

test("a key that is called like another member opens nothing, and that member's own key does", () => {
  const zoe = { org: 'acme', name: 'zoe', role: 'member', incarnation: 1 }
  const joined = StoredPolicySnapshot.parse({
    v: 1,
    gateway: 'GW-1',
    version: 1,
    issuedAt: 0,
    gatewayOrg: 'acme',
    organisations: [{ id: 'acme', name: 'Acme' }],
    members: [{ org: 'acme', name: 'ana', role: 'admin', incarnation: 1 }, zoe],
    keys: [key('zoe', 'ana', "ana's"), key('zoe', 'zoe', 'own')],
    devices: [],
    shares: [],
    critical: [],
  })
  const opens = (secret: string) =>
    authenticate({ snapshot: joined, username: 'acme:zoe', keyHash: hashOf(secret), equal: sameHash })
  expect(opens("ana's")).toEqual({ ok: false, because: 'bad-credentials' })
  expect(opens('own')).toMatchObject({ ok: true, key: { member: 'zoe' } })
})

const managed: typeof snapshot = {
  ...snapshot,
  organisations: [
    ...snapshot.organisations,
    ...snapshot.organisations.map((org) => ({ ...org, id: 'flow' as never })),
  ],
  members: [
    ...snapshot.members,
    ...snapshot.members.map((one) => ({ ...one, org: 'flow' as never, name: 'p-1' as never })),
  ],
  keys: [
    ...snapshot.keys,
    ...snapshot.keys.slice(0, 1).map((one) => ({
      ...one,
      org: 'flow' as never,
      name: 'p-2' as never,
      member: 'p-1' as never,
      hash: hashOf('own'),
    })),
  ],
  links: [
    {
      id: 'l1',
      partner: 'flow',
      customer: 'acme',
      state: 'active',
      cap: 'installer',
      expiresAt: null,
      offlineTtl: null,
    },
  ] as unknown as typeof snapshot.links,
}

test.for([
  ["a partner's people by their key, whatever they call themselves", 'flow:sue', 'own', true],
  ['by the id that they have here', 'flow:p-2', 'own', true],
  ["not by another organisation's key", 'flow:sue', 'first', false],
  ['not by a wrong key', 'flow:sue', 'wrong', false],
  ['members of the customer only by their own names', 'acme:sue', 'first', false],
] as const)('where a partner manages the gateway it knows %s', ([, username, secret, ok]) => {
  const answer = authenticate({ snapshot: managed, username, keyHash: hashOf(secret), equal: sameHash })
  expect(answer).toMatchObject(ok ? { ok, principal: { org: 'flow', name: 'p-2' } } : { ok })
})

test('a certificate opens for nobody but the name that it proves', () => {
  const answers = ['flow:sue', 'flow:p-2'].map(
    (username) => authenticate({ snapshot: managed, username, keyHash: null, equal: sameHash }).ok,
  )
  expect(answers).toEqual([false, true])
})

test.for(['acme:nobody', 'nonsense'])('%s costs a comparison like everybody', (username) => {
  let comparisons = 0
  const equal = (a: string, b: string): boolean => {
    comparisons += 1
    return a === b
  }
  authenticate({ snapshot, username, keyHash: hashOf('first'), equal })
  expect(comparisons).toBe(1)
})
