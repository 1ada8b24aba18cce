import fc from 'fast-check'
import { expect, test } from 'vitest'
import { newShares } from '../../../../cloud-sync/cloud/quotas/index.ts'

const of = (gateway: string, used: number, share: number | null) => ({
  gateway,
  used: BigInt(used),
  share: share === null ? null : BigInt(share),
})
const split = (limit: number, ...gateways: ReturnType<typeof of>[]) => {
  const shares = newShares(BigInt(limit), gateways)
  return shares === undefined ? undefined : [...shares.values()].map(Number)
}

test.for([
  ['at first all alike', split(100, of('a', 0, null), of('b', 0, null)), [50, 50]],
  ['a share for who is new', split(100, of('a', 0, 100), of('b', 0, null)), [50, 50]],
  ['more for who uses more', split(100, of('a', 45, 50), of('b', 0, 50)), [94, 6]],
  ['nothing new while nobody is short', split(100, of('a', 30, 50), of('b', 2, 50)), undefined],
  ['nothing new for a trifle', split(100, of('a', 88, 92), of('b', 6, 8)), undefined],
  ['a new limit', split(200, of('a', 10, 50), of('b', 10, 50)), [100, 100]],
  ['a limit below what was used: nobody has any left', split(50, of('a', 80, 80), of('b', 20, 20)), [40, 10]],
  ['all used up: nothing to divide again', split(100, of('a', 90, 80), of('b', 20, 20)), undefined],
  ['no gateway', split(100), undefined],
] as const)('%s', ([, shares, expected]) => {
  expect(shares).toEqual(expected)
})

test('shares sum to the limit, and it is never divided anew twice over the same figures', () => {
  const gateway = fc.record({ used: fc.bigInt(0n, 10_000n), share: fc.option(fc.bigInt(0n, 10_000n)) })
  fc.assert(
    fc.property(
      fc.bigInt(0n, 20_000n),
      fc.array(gateway, { minLength: 1, maxLength: 8 }),
      (limit, figures) => {
        const standing = figures.map((one, index) => ({ gateway: `GW-${index}`, ...one }))
        const shares = newShares(limit, standing)
        if (shares === undefined) return
        expect([...shares.values()].reduce((sum, share) => sum + share, 0n)).toBe(limit)
        const again = standing.map((one) => ({ ...one, share: shares.get(one.gateway) ?? null }))
        expect(newShares(limit, again)).toBeUndefined()
      },
    ),
  )
})

test('a month of steady use divides a limit a few times, not with each record', () => {
  let standing = [of('a', 0, null), of('b', 0, null)]
  let times = 0
  for (let hour = 0; hour < 720; hour += 1) {
    standing = standing.map((one, index) => ({ ...one, used: one.used + (index === 0 ? 1_200n : 150n) }))
    const shares = newShares(1_000_000n, standing)
    if (shares === undefined) continue
    times += 1
    standing = standing.map((one) => ({ ...one, share: shares.get(one.gateway) ?? null }))
  }
  expect(times).toBeLessThan(12)
  // Nobody waited while the other had something left.
  expect(standing.every(({ used, share }) => used < (share ?? 0n))).toBe(true)
})
