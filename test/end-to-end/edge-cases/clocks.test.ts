import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { demoDevices, simulatedField } from '../../../agent/cli/demo/field.ts'
import { askGateway, askReadings } from '../../../agent/local-api/client.ts'
import { testFolder } from '../../support/cli.ts'
import { until } from '../../support/edge-site.ts'
import { movableClock } from '../../support/faketime.ts'
import { testWith } from '../../support/peers.ts'
import { DAY, PolicySite } from '../../support/policy-site.ts'

/** From the start of the gateway to the first look at its clock, ms. */
const SLACK_MS = 60_000
/** As the clock of a child is set, UTC. */
const wallText = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ')

const dataOf = ({ folder }: PolicySite): string => join(folder, 'data')
async function inForce(site: PolicySite) {
  const said = await askGateway(dataOf(site), '/v1/policy')
  return said as { policyTime: number; freshness: string; signed: boolean }
}
async function may(site: PolicySite, as: string, right: string): Promise<boolean> {
  const asked = new URLSearchParams({ as, right, thing: 'tilt-1' }).toString()
  return ((await askGateway(dataOf(site), `/v1/why?${asked}`)) as { allowed: boolean }).allowed
}

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
      const { policyTime, freshness, signed } = await inForce(site)
      expect({ freshness, signed }).toEqual({ freshness: 'fresh', signed: true })
      expect(await may(site, 'borealis:bea', 'data.read')).toBe(true)
      return policyTime - T0
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

/** Running time until the second policy of the test is stale, and until it is expired, ms. */
const STALE_MS = 3_000
const EXPIRED_MS = 6_000

testWith('faketime')(
  'edge case 14: a leap exactly over the end of freshness ends nothing, one back keeps nothing, and readings go on with the times of the wall clock',
  { timeout: 180_000 },
  async () => {
    const devices = demoDevices({ address: '1' }).slice(0, 1)
    const field = simulatedField({ devices, dir: testFolder() })
    await field.start()
    onTestFinished(() => field.stop())
    const configured = devices.map(({ id, profile, address }) => ({
      ...{ id, profile, address, line: 'wire', every: '500ms' },
    }))
    const site = new PolicySite({ lines: [field.line()], devices: configured })
    const T0 = Date.UTC(2026, 10, 22)
    const END = T0 + DAY
    const clock = movableClock(site.folder, wallText(T0))
    await site.start(clock.env)
    const phases: { from: number; since: number }[] = []
    const readings = async () => {
      const all: { takenAt: number; quality: string; reason: string | null }[] = []
      for await (const { takenAt, quality, reason } of askReadings(dataOf(site), {}))
        all.push({ takenAt, quality, reason })
      return all
    }
    /** Sets the wall clock, and waits until readings bear its time. */
    const leaps = async (from: number): Promise<void> => {
      clock.set(wallText(from))
      const since = performance.now()
      phases.push({ from, since })
      await until('readings are taken in its time', async () => {
        const till = from + performance.now() - since
        const inTime = (await readings()).filter(({ takenAt }) => takenAt >= from && takenAt <= till)
        return inTime.filter(({ quality }) => quality === 'good').length > 2
      })
    }
    const now = () => inForce(site)
    const isWhole = async (): Promise<void> => {
      expect((await now()).freshness).toBe('fresh')
      expect(await may(site, 'acme:ana', 'share.grant')).toBe(true)
      expect(await may(site, 'borealis:bea', 'data.read')).toBe(true)
    }

    expect(await site.apply(site.signer.whole(site.policy(1, { issuedAt: T0 })))).toBe('applied')
    await leaps(T0)
    // Over it while it runs on, exactly onto it, and far beyond.
    for (const wall of [END - 1_000, END, END + 10 * 365 * DAY]) {
      await leaps(wall)
      await isWhole()
    }
    // The other way: the wall clock stands long before the end, and running time passes it.
    await leaps(T0 - DAY)
    const at = (await now()).policyTime + 1_000
    const soon = { issuedAt: at, freshUntil: at + STALE_MS, hardUntil: at + EXPIRED_MS }
    const body = site.signer.whole(site.policy(2, soon))
    expect(await askGateway(dataOf(site), '/v1/policy', { body })).toMatchObject({ applied: true })
    for (const [ended, end, who, right] of [
      [['stale', 'expired'], soon.freshUntil, 'acme:ana', 'share.grant'],
      [['expired'], soon.hardUntil, 'borealis:bea', 'data.read'],
    ] as const) {
      // On a machine that is slow to look, the first may be over with the second.
      await until(`it is ${ended.join(' or ')}`, async () => {
        const { freshness, policyTime } = await now()
        const hasEnded = (ended as readonly string[]).includes(freshness)
        expect(hasEnded).toBe(policyTime >= end)
        return hasEnded
      })
      expect(await may(site, who, right)).toBe(false)
      clock.set(wallText(T0 - 30 * DAY))
      expect(await may(site, who, right)).toBe(false)
    }
    await leaps(T0 - 2 * DAY)
    expect(await may(site, 'acme:ana', 'data.read')).toBe(true)
    // All of it as it was taken: good, where this machine let the device answer, and in the time of the wall clock then.
    const all = await readings()
    expect(all.filter(({ quality, reason }) => quality !== 'good' && reason !== 'timeout')).toEqual([])
    const till = performance.now()
    const starts = [...phases.map(({ from }) => from), T0 - 30 * DAY]
    const strays = all.filter(({ takenAt }) =>
      starts.every((from) => takenAt < from || takenAt > from + till - (phases[0]?.since ?? 0) + SLACK_MS),
    )
    expect(strays).toEqual([])
    await site.stop()
  },
)
