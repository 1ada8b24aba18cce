import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { missedSlots, nextDueMs, slotOffsetMs } from '../../../hardware/poll/slots.ts'

const DAY_MS = 86_400_000
const every = fc.integer({ min: 50, max: 3_600_000 })
/** Any wall clock from 1970 to 2100, whatever the last one was. */
const wall = fc.integer({ min: 0, max: 130 * 365 * DAY_MS })

describe('the offset of a device in its interval', () => {
  test('is inside the interval and the same every time', () => {
    fc.assert(
      fc.property(fc.string(), every, (name, everyMs) => {
        const offset = slotOffsetMs(name, everyMs)
        expect(offset).toBe(slotOffsetMs(name, everyMs))
        expect(offset).toBeGreaterThanOrEqual(0)
        expect(offset).toBeLessThan(everyMs)
      }),
    )
  })

  test('spreads devices that differ in their last letter over the whole interval', () => {
    const offsets = Array.from({ length: 64 }, (_, n) => slotOffsetMs(`tilt-${n}`, 1000))
    for (const quarter of [0, 250, 500, 750]) {
      expect(offsets.filter((offset) => offset >= quarter && offset < quarter + 250).length).toBeGreaterThan(
        6,
      )
    }
  })
})

describe('the next slot', () => {
  test('keeps every interval within a quarter of its length, whatever the wall clock does between polls', () => {
    fc.assert(
      fc.property(every, fc.array(wall, { minLength: 1, maxLength: 20 }), (everyMs, walls) => {
        let lastMs = 1234.5
        for (const wallMs of walls) {
          const due = nextDueMs(lastMs, { everyMs, offsetMs: everyMs / 3 }, { monoMs: lastMs + 7, wallMs })
          expect(due - lastMs).toBeGreaterThanOrEqual(everyMs * 0.75 - 1e-3)
          expect(due - lastMs).toBeLessThanOrEqual(everyMs * 1.25 + 1e-3)
          lastMs = due
        }
      }),
    )
  })

  test('is back on the grid of the wall clock two polls after any jump', () => {
    fc.assert(
      fc.property(every, wall, fc.double({ min: 0, max: 1, noNaN: true }), (everyMs, wallStart, share) => {
        const offsetMs = Math.floor(share * everyMs)
        let monoMs = 0
        for (let poll = 0; poll < 2; poll += 1) {
          monoMs = nextDueMs(monoMs, { everyMs, offsetMs }, { monoMs, wallMs: wallStart + monoMs })
        }
        const phase = (wallStart + monoMs - offsetMs) / everyMs
        expect(Math.abs(phase - Math.round(phase)) * everyMs).toBeLessThan(0.01)
      }),
    )
  })

  test('follows a poll that was late by up to a quarter at the very next slot', () => {
    const slot = { everyMs: 1000, offsetMs: 300 }
    expect(nextDueMs(5_500, slot, { monoMs: 5_510, wallMs: 5_510 })).toBe(6_300)
  })
})

test.for([
  { due: 1000, begun: 1000, missed: 0 },
  { due: 1000, begun: 1999, missed: 0 },
  { due: 1000, begun: 2000, missed: 1 },
  { due: 1000, begun: 61_500, missed: 60 },
  { due: 1000, begun: 900, missed: 0 },
])('a poll due at $due that begins at $begun has missed $missed slots of a second', (c) => {
  expect(missedSlots(c.due, c.begun, 1000)).toBe(c.missed)
})
