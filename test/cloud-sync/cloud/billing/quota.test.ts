import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  allocatable,
  gatewayShares,
  isOver,
  limitOf,
  nextQuota,
  type Quota,
  type QuotaEvent,
} from '../../../../cloud-sync/cloud/billing/index.ts'
import type { WorkspaceId } from '../../../../cloud-sync/contract/index.ts'
import { AUGUST, DAM, JULY } from '../../../support/billing-world.ts'

const fresh = (limit = 100n): Quota => ({
  org: DAM,
  workspace: 'wall' as WorkspaceId,
  period: JULY,
  limit,
  used: 0n,
  warned: [],
})
const used = (total: bigint, period = JULY): QuotaEvent => ({ event: 'used', period, total })

/** All warnings and turns of a history. */
function story(events: readonly QuotaEvent[], from = fresh()): (number | string)[] {
  let quota = from
  return events.flatMap((input) => {
    const change = nextQuota(quota, input)
    quota = change.quota
    return [...change.warnings, ...(change.turned === null ? [] : [change.turned])]
  })
}

test.for([
  ['step by step', [79n, 80n, 89n, 90n, 99n, 100n, 150n].map((n) => used(n)), [80, 90, 100, 'blocked']],
  ['at once', [used(1_000n)], [80, 90, 100, 'blocked']],
  ['late, twice and out of order', [90n, 80n, 90n, 85n].map((n) => used(n)), [80, 90]],
  [
    'raised, and reached again: warned of once a month',
    [used(100n), { event: 'limit', limit: 200n } as const, used(180n), used(200n)],
    [80, 90, 100, 'blocked', 'released', 'blocked'],
  ],
  [
    'lowered under what was used',
    [used(50n), { event: 'limit', limit: 50n } as const],
    [80, 90, 100, 'blocked'],
  ],
  [
    'a new month warns anew',
    [used(100n), { event: 'period', period: AUGUST } as const, used(85n, AUGUST)],
    [80, 90, 100, 'blocked', 'released', 80],
  ],
  ['usage of a month that is over', [used(10n, AUGUST), used(100n)], []],
] as const)('a quota is used %s', ([, events, expected]) => {
  expect(story(events)).toEqual(expected)
})

test('a limit of nothing blocks without a warning', () => {
  expect(isOver(fresh(0n))).toBe(true)
  expect(story([used(5n)], fresh(0n))).toEqual([])
})

test('every step is warned of exactly once in a month in which it was reached, in any history', () => {
  const event: fc.Arbitrary<QuotaEvent> = fc.oneof(
    fc.bigInt(0n, 300n).map((total) => used(total)),
    fc.bigInt(1n, 200n).map((limit) => ({ event: 'limit' as const, limit })),
  )
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (events) => {
      let quota = fresh()
      const reached = new Set<number>()
      const warned: number[] = []
      for (const input of events) {
        const change = nextQuota(quota, input)
        quota = change.quota
        warned.push(...change.warnings)
        for (const step of [80, 90, 100]) {
          if (quota.used * 100n >= quota.limit * BigInt(step)) reached.add(step)
        }
      }
      expect(warned.toSorted((a, b) => a - b)).toEqual([...reached].sort((a, b) => a - b))
      expect(isOver(quota)).toBe(quota.used >= quota.limit)
    }),
  )
})

test('S3.3 one workspace at its limit is blocked, the others of the account are not', () => {
  const wall = nextQuota(fresh(), used(100n))
  const crest = nextQuota({ ...fresh(), workspace: 'crest' as WorkspaceId }, used(79n))
  expect([wall.turned, crest.turned]).toEqual(['blocked', null])
})

test('S3.9 every workspace starts with what is included, and its limit can be raised', () => {
  expect(limitOf({ included: 50n, allocated: 0n, addOns: [] })).toBe(50n)
  expect(limitOf({ included: 50n, allocated: 30n, addOns: [] })).toBe(80n)
})

test('S3.16 add-ons are of one workspace, beside what the account allocates', () => {
  const boosted = { included: 50n, allocated: 30n, addOns: [20n, 5n] }
  expect(limitOf(boosted)).toBe(105n)
  expect(allocatable(30n, [boosted])).toEqual({ enough: true, left: 0n })
})

test('S3.15 what is allocated to the workspaces never exceeds the account, else it says what is missing', () => {
  const given = (allocated: bigint): { included: bigint; allocated: bigint; addOns: bigint[] } => ({
    included: 10n,
    allocated,
    addOns: [],
  })
  expect(allocatable(100n, [given(60n), given(30n)])).toEqual({ enough: true, left: 10n })
  expect(allocatable(100n, [given(60n), given(60n)])).toEqual({ enough: false, missing: 20n })
})

test('the shares of the gateways sum to the limit, whatever they used before', () => {
  fc.assert(
    fc.property(
      fc.bigInt(0n, 2n ** 70n),
      fc.array(fc.bigInt(0n, 2n ** 60n), { minLength: 1, maxLength: 20 }),
      (limit, weights) => {
        const shares = gatewayShares(
          limit,
          weights.map((weight, n) => ({ gateway: `GW-${n}`, weight })),
        )
        expect([...shares.values()].reduce((sum, share) => sum + share, 0n)).toBe(limit)
        expect([...shares.values()].every((share) => share >= 0n)).toBe(true)
      },
    ),
  )
})
