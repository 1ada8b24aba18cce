import { describe, expect, test } from 'vitest'
import { type Stage, type VirtualDevice, answering, intervals, mute, play, refusing, ten } from './virtual.ts'

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

  test('frees its device for the next poll as soon as it is there', async () => {
    const played = await play(
      [{ id: 'd', address: 1, everyMs: 400 }, ...ten.slice(1)],
      async ({ line, clock }) => {
        await clock.pass(20_000)
        let late = true
        line.behaviours.set(1, () => {
          const afterMs = late ? 180 : 5
          late = false
          return { afterMs, answer: Uint8Array.of(0) }
        })
        await clock.pass(20_000)
      },
    )
    expect(Math.max(...intervals(played.times(1)).slice(1))).toBeLessThan(1.5 * 400)
    expect(played.readings.filter(({ reason }) => reason === 'timeout').length).toBeLessThanOrEqual(1)
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
