import { expect } from 'vitest'
import { movableClock } from '../../support/faketime.ts'
import { testWith } from '../../support/peers.ts'
import { DAY, PolicySite } from '../../support/policy-site.ts'

testWith('faketime')(
  'edge case 14: a wall clock at 1970, ten years on and back again extends no share, and ends none',
  { timeout: 120_000 },
  async () => {
    const site = new PolicySite()
    const { signer } = site
    const clock = movableClock(site.folder, '1970-01-01 00:00:10')
    await site.start(clock.env)
    const T0 = Date.UTC(2026, 10, 22)
    expect(await site.apply(signer.whole(site.policy(1, { issuedAt: T0 })))).toBe('applied')
    const shown = async (): Promise<number> => {
      const { policyTime, freshness, signed } = await site.show()
      expect({ freshness, signed }).toEqual({ freshness: 'fresh', signed: true })
      expect(await site.why('borealis:bea', 'data.read', 'tilt-1')).toBe('allowed')
      return Number(policyTime) - T0
    }
    const times = [await shown()]
    for (const wall of [
      '2026-11-22 00:00:00',
      '2036-11-22 00:00:00',
      '2026-11-23 00:00:00',
      '1970-01-01 00:00:10',
    ]) {
      clock.set(wall)
      times.push(await shown())
    }
    // Only the running time counts: it went on, and by no more than the test took.
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(times.at(-1)).toBeLessThan(DAY / 24)
    await site.stop()
    clock.set('2036-11-22 00:00:00')
    await site.start(clock.env)
    expect(await shown()).toBeLessThan(DAY / 24)
    await site.stop()
  },
)
