import { describe, expect, test } from 'vitest'
import type { Step } from '../../../hardware/protocol.ts'
import { answering, intervals, mute, play, ten } from './virtual.ts'
const HOUR_MS = 3_600_000

describe('the rhythm of polls', () => {
  test('is: all at once at start, then each in its own slot', async () => {
    const played = await play(ten, async ({ clock }) => clock.pass(60_000))
    for (const { address } of ten) {
      const times = played.times(address)
      expect(times[0]).toBeLessThan(1000 + 10 * 20)
      expect(times.length).toBeGreaterThanOrEqual(60)
      expect(
        intervals(times)
          .slice(3)
          .every((ms) => Math.abs(ms - 1000) < 50),
      ).toBe(true)
    }
  })

  test.for([
    { what: 'from 1970 to 2026', jump: 56 * 365.25 * 24 * HOUR_MS },
    { what: 'a day forward', jump: 24 * HOUR_MS },
    { what: 'a day back', jump: -24 * HOUR_MS },
    { what: 'half a second forward', jump: 500 },
    { what: 'half a second back', jump: -500 },
  ])('survives a wall clock that goes $what', async ({ jump }) => {
    const played = await play(ten, async ({ clock }) => {
      await clock.pass(10_300)
      clock.jump(jump)
      await clock.pass(10_000)
      clock.jump(-jump / 3)
      await clock.pass(10_000)
    })
    for (const { address } of ten) {
      const ms = intervals(played.times(address)).slice(1)
      expect(Math.min(...ms)).toBeGreaterThan(500)
      expect(Math.max(...ms)).toBeLessThan(1500)
    }
  })

  test('lets one dead device of ten cost the others nothing on a line half full', async () => {
    const played = await play(
      ten.map((each) => ({ ...each, everyMs: 300 })),
      async ({ clock, line }) => {
        await clock.pass(20_000)
        line.behaviours.set(4, mute)
        await clock.pass(300_000)
      },
    )
    const polls = ten
      .filter(({ address }) => address !== 4)
      .map(({ address }) => played.times(address).length)
    expect(Math.min(...polls)).toBeGreaterThan((320_000 / 300) * 0.97)
    expect(played.poller.report().probeShare).toBeLessThan(0.05)
    expect(
      played.events.filter((event) => event.kind === 'device' && event.device === 'tilt-3'),
    ).toMatchObject([
      { state: 'new' },
      { state: 'ok' },
      { state: 'degraded' },
      { state: 'lost', reason: 'timeout' },
    ])
  })

  test('finds a device that comes back', async () => {
    const played = await play(ten.slice(0, 2), async ({ clock, line }) => {
      line.behaviours.set(1, mute)
      await clock.pass(60_000)
      line.behaviours.set(1, answering(5))
      await clock.pass(120_000)
    })
    expect(played.poller.deviceReports()[0]?.[1]).toMatchObject({ state: 'ok' })
    expect(
      intervals(played.times(1))
        .slice(-5)
        .every((ms) => Math.abs(ms - 1000) < 50),
    ).toBe(true)
  })

  test('puts a device that an operator asks for before all others', async () => {
    const played = await play(ten, async ({ clock, poller }) => {
      await clock.pass(5_000)
      poller.pollNow('tilt-7')
      await clock.pass(20)
    })
    const last = played.line.log.findLast(({ atMs }) => atMs <= 6_020 + 10)
    expect(last?.address).toBe(8)
  })
})

describe('a trigger', () => {
  const head = (address: number): Step[] => [
    { kind: 'broadcast', tx: new TextEncoder().encode('\0go') },
    { kind: 'wait', ms: 50 + 20 * address },
  ]
  const strings = ten.slice(0, 4).map((each) => ({ ...each, everyMs: 2000, head }))

  test('serves all devices of a profile at once, each asked when it is ready', async () => {
    const played = await play(strings, async ({ clock }) => clock.pass(20_000))
    const triggers = played.times(0)
    expect(triggers.length).toBeGreaterThanOrEqual(10)
    expect(triggers.length).toBeLessThanOrEqual(12)
    for (const { address } of strings) {
      const asked = played.times(address)
      expect(asked.length).toBe(triggers.length)
      asked.forEach((atMs, n) => {
        expect(atMs - (triggers[n] ?? 0)).toBeGreaterThanOrEqual(50 + 20 * address)
      })
      expect(
        intervals(asked)
          .slice(3)
          .every((ms) => Math.abs(ms - 2000) < 10),
      ).toBe(true)
    }
  })

  test('is not given for a device that is lost together with those that are well', async () => {
    const played = await play(strings, async ({ clock, line }) => {
      line.behaviours.set(2, mute)
      await clock.pass(120_000)
    })
    expect(played.poller.report().probeShare).toBeLessThan(0.06)
    expect(played.times(1).length).toBeGreaterThan(57)
  })
})

describe('a line that is unplugged', () => {
  test('gives one bad reading for each device, then silence, and polls all at once when it is back', async () => {
    const played = await play(ten, async ({ clock, line }) => {
      await clock.pass(5_000)
      line.set('lost')
      await clock.pass(60_000)
      line.set('open')
      await clock.pass(200)
    })
    const lost = played.readings.filter(({ reason }) => reason === 'line-lost')
    expect(lost.map((reading) => reading.device).sort()).toEqual(ten.map(({ id }) => id).sort())
    for (const { address } of ten) {
      const again = played.times(address).find((atMs) => atMs > 60_000)
      expect(again).toBeLessThan(1_000 + 65_000 + 200)
    }
    expect(played.events.filter(({ kind }) => kind === 'line')).toMatchObject([
      { state: 'ok' },
      { state: 'lost' },
      { state: 'ok' },
    ])
  })

  test('forgets the back-off of lost devices when it is back', async () => {
    const played = await play(ten.slice(0, 2), async ({ clock, line }) => {
      line.behaviours.set(1, mute)
      await clock.pass(3_600_000)
      line.set('lost')
      line.behaviours.set(1, answering(5))
      await clock.pass(10_000)
      line.set('open')
      await clock.pass(2_100)
    })
    expect(played.poller.deviceReports()[0]?.[1]).toMatchObject({ state: 'ok' })
  })
})
