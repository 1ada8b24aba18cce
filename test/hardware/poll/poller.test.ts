import { describe, expect, test } from 'vitest'
import type { Step } from '../../../hardware/protocol.ts'
import { type VirtualDevice, answering, device, intervals, mute, refusing, stage } from './virtual.ts'

type Stage = ReturnType<typeof stage>

/** Runs the devices for so long, all answering after 5 ms unless said otherwise by `prepare`. */
async function play(
  devices: readonly VirtualDevice[],
  script: (stage: Stage) => Promise<void>,
  splits: Record<string, string[]> = {},
): Promise<Stage> {
  const played = stage(devices.map(device), splits)
  for (const { address } of devices) played.line.behaviours.set(address, answering(5))
  const ended = played.start()
  await script(played)
  played.stop()
  await played.clock.pass(10_000)
  await ended
  return played
}

const ten = Array.from({ length: 10 }, (_, n): VirtualDevice => ({ id: `tilt-${n}`, address: n + 1 }))
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

describe('a poll that fails', () => {
  test('gives one bad reading for each channel, with the reason', async () => {
    const played = await play([{ id: 'dead', address: 1, channels: ['a', 'b'] }], async ({ line, clock }) => {
      line.behaviours.set(1, mute)
      await clock.pass(900)
    })
    expect(played.readings).toMatchObject([
      { channel: 'a', value: null, quality: 'bad', reason: 'timeout' },
      { channel: 'b', value: null, quality: 'bad', reason: 'timeout' },
    ])
  })

  test("is tried again within its slot, with the profile's own patience", async () => {
    const played = await play([{ id: 'slow', address: 1, everyMs: 5000 }], async ({ line, clock }) => {
      await clock.pass(300_000)
      let first = true
      line.behaviours.set(1, () => {
        const answer = { afterMs: first ? 450 : 5, answer: Uint8Array.of(0) }
        first = false
        return answer
      })
      await clock.pass(5_000)
    })
    expect(played.readings.every(({ quality }) => quality === 'good')).toBe(true)
    // 100 ms of patience, quiet until 500 + 300 ms, then once more.
    expect(
      intervals(played.times(1))
        .filter((ms) => ms < 1000)
        .map(Math.round),
    ).toEqual([811])
  })

  test('goes on with the other blocks of a device that is well', async () => {
    const played = await play(
      [{ id: 'd', address: 1, channels: ['a', 'b', 'c'], blockMax: 1, everyMs: 10_000 }],
      async (on) => {
        on.line.behaviours.set(1, ({ block }) =>
          block.includes('b') ? null : { afterMs: 5, answer: Uint8Array.of(0) },
        )
        await on.clock.pass(9_000)
      },
    )
    expect(played.readings.map(({ channel, quality }) => `${channel} ${quality}`).sort()).toEqual([
      'a good',
      'b bad',
      'c good',
    ])
  })
})

describe('an answer that comes late', () => {
  const twoBlocks: VirtualDevice = { id: 'd', address: 1, channels: ['a', 'b'], blockMax: 1, everyMs: 2000 }

  test('can never meet the next request to the same device, while the others are asked meanwhile', async () => {
    const quick = { ...twoBlocks, everyMs: 500 }
    const played = await play([quick, { id: 'e', address: 2, everyMs: 200 }], async ({ line, clock }) => {
      await clock.pass(20_000)
      line.behaviours.set(1, mute)
      await clock.pass(60_000)
    })
    const failing = played.times(1).filter((atMs) => atMs > 21_000)
    expect(failing.length).toBeGreaterThan(5)
    // 500 ms of the profile and 300 ms more in which the device may still answer.
    expect(Math.min(...intervals(failing))).toBeGreaterThan(800)
    expect(played.times(2).length).toBeGreaterThan((80_000 / 200) * 0.95)
  })

  test('from a device that became slow is waited for, and the device not lost', async () => {
    const played = await play([{ id: 'd', address: 1 }, ...ten.slice(1)], async ({ line, clock }) => {
      await clock.pass(60_000)
      line.behaviours.set(1, answering(400))
      await clock.pass(60_000)
    })
    expect(played.poller.deviceReports()[0]?.[1]).toMatchObject({ state: 'ok' })
    expect(played.times(1).length).toBeGreaterThan(110)
  })

  test('by one block alone does not keep the others waiting', async () => {
    const played = await play([twoBlocks, { id: 'e', address: 2, everyMs: 200 }], async ({ line, clock }) => {
      line.behaviours.set(1, ({ block }) =>
        block.includes('a') ? null : { afterMs: 5, answer: Uint8Array.of(0) },
      )
      await clock.pass(60_000)
    })
    const values = played.readings.filter(({ device: of, channel }) => of === 'd' && channel === 'b')
    expect(values.length).toBeGreaterThan(28)
    expect(values.every(({ quality }) => quality === 'good')).toBe(true)
    expect(played.times(2).length).toBeGreaterThan((60_000 / 200) * 0.7)
  })
})

describe('a device that refuses', () => {
  const wide: VirtualDevice = { id: 'd', address: 1, channels: ['a', 'b', 'c', 'd'] }
  const refusesC: (on: Stage) => void = ({ line }) => {
    line.behaviours.set(1, ({ block }) => ({
      afterMs: 5,
      answer: Uint8Array.of(block.includes('c') ? 2 : 0),
    }))
  }

  test('a joined block is asked for its halves, until only the channel it lacks fails', async () => {
    const played = await play([wide], async (on) => {
      refusesC(on)
      await on.clock.pass(900)
    })
    expect(played.line.log.map(({ block }) => block.join(''))).toEqual(['abcd', 'ab', 'cd', 'c', 'd'])
    expect(played.readings.map(({ channel, reason }) => `${channel} ${String(reason)}`)).toEqual([
      'a null',
      'b null',
      'd null',
      'c exception-2',
    ])
    expect(played.events.filter(({ kind }) => kind === 'splits')).toMatchObject([
      { device: 'd', channels: ['c', 'd'] },
    ])
  })

  test('is not asked for that block again, and after a restart neither', async () => {
    const played = await play(
      [wide],
      async (on) => {
        refusesC(on)
        await on.clock.pass(900)
      },
      { d: ['c', 'd'] },
    )
    expect(played.line.log.map(({ block }) => block.join(''))).toEqual(['ab', 'c', 'd'])
    expect(played.events.filter(({ kind }) => kind === 'splits')).toEqual([])
  })

  test('because it is busy is asked again soon, and only then gives a bad reading', async () => {
    const played = await play([{ id: 'd', address: 1, everyMs: 10_000 }], async ({ line, clock }) => {
      line.behaviours.set(1, refusing(6))
      await clock.pass(5_000)
    })
    expect(intervals(played.times(1)).map(Math.round)).toEqual([115, 115, 115])
    expect(played.readings).toMatchObject([{ quality: 'bad', reason: 'exception-6' }])
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
