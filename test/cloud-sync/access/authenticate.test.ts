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
  expect(answer).toEqual(
    ok ? { ok: true, principal: { org: 'acme', name: 'scada' } } : { ok: false, because: 'bad-credentials' },
  )
})

test('nobody logs in where there is no snapshot', () => {
  const question = { snapshot: undefined, username: 'acme:scada', keyHash: hashOf('first'), equal: sameHash }
  expect(authenticate(question)).toEqual({ ok: false, because: 'no-policy' })
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
