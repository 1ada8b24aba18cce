import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lockMsAfter, TRIES_MAX } from '../../../agent/claim/lockout.ts'
import { type ClaimInput, type ClaimState, NEW_GATEWAY, nextClaim } from '../../../agent/claim/machine.ts'
import type { OrgId } from '../../../cloud-sync/contract/index.ts'

const acme = 'acme' as OrgId
const borealis = 'borealis' as OrgId
const birth = (generation: number, policy = ''): ClaimInput => ({
  event: 'birth',
  generation,
  claimKey: `key-${generation}`,
  policy,
})
const claim = (org: OrgId, policy = '', counterMin = 0): ClaimInput => ({
  event: 'claim',
  org,
  counterMin,
  policy,
})
const policy = (
  name: string,
  org: OrgId,
  is: 'claimed' | 'disputed' | 'releasing' = 'claimed',
): ClaimInput => ({
  event: 'policy',
  claim: is,
  org,
  policy: name,
})

function after(...inputs: readonly ClaimInput[]): ClaimState & { readonly tells: readonly unknown[] } {
  let state = NEW_GATEWAY
  const tells: unknown[] = []
  for (const input of inputs) {
    const step = nextClaim(state, input)
    state = step.next
    if (step.tells !== null) tells.push(step.tells)
  }
  return { ...state, tells }
}

test('a gateway is claimed on site, confirmed, let go, and claimed again by the new code', () => {
  expect(after(birth(1), claim(acme))).toMatchObject({ state: 'provisional', org: acme, counter: 1 })
  expect(after(birth(1), claim(acme), policy('1.1', acme))).toMatchObject({ state: 'claimed', org: acme })
  const released = [birth(1), claim(acme), policy('1.1', acme), birth(2, '1.1')]
  expect(after(...released)).toMatchObject({
    state: 'unclaimed',
    generation: 2,
    tells: ['claimed', 'released'],
  })
  expect(after(...released, claim(borealis, '1.1'))).toMatchObject({
    state: 'provisional',
    org: borealis,
    counter: 2,
  })
})

test.for<readonly [string, readonly ClaimInput[], object]>([
  ['without a code nobody claims', [claim(acme)], { state: 'unclaimed', counter: 0, tells: [] }],
  [
    'a second claim changes nothing',
    [birth(1), claim(acme), claim(borealis)],
    { org: acme, tells: ['claimed'] },
  ],
  [
    'the cloud decides for another',
    [birth(1), claim(acme), policy('1.1', borealis)],
    { state: 'claimed', org: borealis },
  ],
  ['the cloud disputes it', [birth(1), claim(acme), policy('1.1', acme, 'disputed')], { state: 'disputed' }],
  [
    'and decides',
    [birth(1), claim(acme), policy('1.1', acme, 'disputed'), policy('1.2', borealis)],
    { state: 'claimed', org: borealis },
  ],
  ['an older code releases nothing', [birth(2), claim(acme), birth(1), birth(2)], { state: 'provisional' }],
  [
    'the policy from before a release says nothing after it',
    [birth(1), policy('1.7', acme), birth(2, '1.7'), policy('1.7', acme)],
    { state: 'unclaimed' },
  ],
  [
    'nor does one that says that it is being let go',
    [birth(1), policy('1.7', acme), birth(2, '1.7'), policy('1.8', acme, 'releasing')],
    { state: 'unclaimed' },
  ],
  [
    'the first code of a gateway that has an owner is only learnt',
    [policy('1.1', acme), birth(3)],
    { state: 'claimed', tells: [] },
  ],
  ['a promised counter is never given again', [birth(1), claim(acme, '', 7)], { counter: 8 }],
])('%s', ([, inputs, expected]) => {
  expect(after(...inputs)).toMatchObject(expected)
})

test('whatever happens in whatever order, counter and code never fall, and only an unclaimed gateway is claimed', () => {
  const inputs = fc.oneof(
    fc.integer({ min: 1, max: 4 }).map((generation) => birth(generation, '1.1')),
    fc.constantFrom(acme, borealis).map((org) => claim(org, '1.1')),
    fc
      .tuple(fc.constantFrom('1.1', '1.2', '1.3'), fc.constantFrom(acme, borealis))
      .map(([name, org]) => policy(name, org)),
    fc.constantFrom('1.2', '1.3').map((name) => policy(name, acme, 'disputed')),
  )
  fc.assert(
    fc.property(fc.array(inputs, { maxLength: 30 }), (history) => {
      let state = NEW_GATEWAY
      for (const input of history) {
        const { next, tells } = nextClaim(state, input)
        expect(next.counter).toBeGreaterThanOrEqual(state.counter)
        expect(next.generation).toBeGreaterThanOrEqual(state.generation)
        if (tells === 'claimed') expect(state.state).toBe('unclaimed')
        if (tells === 'released') expect(next.generation).toBeGreaterThan(state.generation)
        // Said again, it changes nothing.
        expect(nextClaim(next, input)).toEqual({ next, tells: null })
        state = next
      }
    }),
  )
})

test('five wrong tries are free, then each costs twice as long, a day at most', () => {
  expect(Array.from({ length: TRIES_MAX }, (_, failures) => lockMsAfter(failures))).toEqual([0, 0, 0, 0, 0])
  expect([5, 6, 7, 50].map(lockMsAfter)).toEqual([60_000, 120_000, 240_000, 86_400_000])
})
