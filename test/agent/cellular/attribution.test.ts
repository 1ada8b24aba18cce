import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  attribute,
  type Carried,
  type Claim,
  largestRemainder,
  NOTHING_CARRIED,
} from '../../../agent/cellular/attribution.ts'
import type { OrgId, Subject } from '../../../cloud-sync/contract/index.ts'

const ownerOf = (org: string) => ({ org: org as OrgId, ownerEpoch: 1, custodian: null, workspace: null })
const host = ownerOf('host')
const bytes = fc.bigInt(0n, 2n ** 60n)
const small = fc.bigInt(0n, 100_000n)
const claim: fc.Arbitrary<Claim> = fc.record({
  subject: fc.constantFrom('sensor:a/x', 'sensor:b/x', 'sensor:c/x').map((text) => text as Subject),
  owner: fc.constantFrom('host', 'guest', 'third').map(ownerOf),
  payload: small,
  packets: fc.bigInt(0n, 50n),
})
const windows = fc.array(
  fc.record({
    bytes: fc.oneof(small, bytes),
    claims: fc.array(claim, { maxLength: 6 }),
    protocol: small,
    idle: small,
  }),
  { minLength: 1, maxLength: 12 },
)

test('I10 the shares of every window are its bytes, none below zero, whoever absorbs', () => {
  fc.assert(
    fc.property(windows, fc.boolean(), (list, hostAbsorbs) => {
      let carried: Carried = NOTHING_CARRIED
      for (const window of list) {
        const done = attribute(window, carried, { host, hostAbsorbs })
        carried = done.carried
        expect(done.shares.reduce((total, share) => total + share.bytes, 0n)).toBe(window.bytes)
        expect(done.shares.every((share) => share.bytes > 0n)).toBe(true)
        const hosts = done.shares.filter((share) => share.class === 'idle' || share.class === 'other')
        expect(hosts.every((share) => share.owner === host && share.subject === null)).toBe(true)
        if (hostAbsorbs) expect(done.shares.every((share) => share.owner === host)).toBe(true)
        expect(
          [carried.protocol, carried.idle, ...carried.claims.map((c) => c.payload)].every((n) => n >= 0n),
        ).toBe(true)
      }
    }),
    { numRuns: 500 },
  )
})

test('I10 parts by largest remainder are the whole and differ from the exact part by less than one', () => {
  const weights = fc.array(fc.bigInt(0n, 2n ** 70n), { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(bytes, weights, (total, list) => {
      const whole = list.reduce((sum, one) => sum + one, 0n)
      fc.pre(whole > 0n)
      const parts = largestRemainder(total, list)
      expect(parts.reduce((sum, one) => sum + one, 0n)).toBe(total)
      for (const [index, part] of parts.entries()) {
        const off = part * whole - total * (list[index] ?? 0n)
        expect(off < whole && off > -whole).toBe(true)
      }
    }),
  )
})

const guest: Claim = { subject: 'sensor:g/x' as Subject, owner: ownerOf('guest'), payload: 300n, packets: 3n }
const own: Claim = { subject: 'sensor:h/x' as Subject, owner: host, payload: 100n, packets: 1n }

test('a guest pays payload and its part of the protocol; idle and other are the host’s', () => {
  const { shares } = attribute(
    { bytes: 1000n, claims: [guest, own], protocol: 200n, idle: 50n },
    NOTHING_CARRIED,
    {
      host,
      hostAbsorbs: false,
    },
  )
  expect(shares.map((share) => [share.owner.org, share.class, share.bytes])).toEqual([
    ['guest', 'payload', 300n],
    ['guest', 'protocol', 150n],
    ['host', 'payload', 100n],
    ['host', 'protocol', 50n],
    ['host', 'idle', 50n],
    ['host', 'other', 350n],
  ])
})

test('what does not fit a window is paid in the next one', () => {
  const payers = { host, hostAbsorbs: false }
  const first = attribute(
    { bytes: 100n, claims: [guest, own], protocol: 0n, idle: 0n },
    NOTHING_CARRIED,
    payers,
  )
  expect(first.shares.map((share) => [share.owner.org, share.bytes])).toEqual([
    ['guest', 75n],
    ['host', 25n],
  ])
  const second = attribute({ bytes: 500n, claims: [], protocol: 0n, idle: 0n }, first.carried, payers)
  expect(second.shares.map((share) => [share.owner.org, share.class, share.bytes])).toEqual([
    ['guest', 'payload', 225n],
    ['host', 'payload', 75n],
    ['host', 'other', 200n],
  ])
  expect(second.carried).toEqual(NOTHING_CARRIED)
})
