import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Bounds } from '../../../broker/bounds.ts'
import { Watch } from '../../../broker/exchange/watch.ts'
import { DEFAULT_LIMITS } from '../../../broker/limits.ts'
import type { Principal } from '../../../broker/policy.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const MIB = 1024 * 1024
const SECOND_MS = 1_000

/** A watch whose memory is what the test says, MiB; the ceiling is 256 MiB. */
function watched(at: { resident: number; live: number; garbage: number }) {
  const quiet = (): void => undefined
  const log = { info: quiet, warn: quiet, error: quiet }
  const limits = DEFAULT_LIMITS
  let collections = 0
  const watch = new Watch<Principal>({
    ...{ dialogues: new Set(), backlog: { bytes: 0 }, limits, log, sweep: quiet },
    bounds: new Bounds(limits, log),
    monoMs: () => Date.now(),
    memory: () => at.resident * MIB,
    inUse: () => (at.live + at.garbage) * MIB,
    collect: () => {
      collections += 1
      at.garbage = 0
    },
  })
  watch.start()
  return { watch, collections: () => collections }
}

test.for([
  [{ resident: 200, live: 190, garbage: 0 }, false],
  [{ resident: 250, live: 200, garbage: 0 }, true],
  [{ resident: 900, live: 60, garbage: 0 }, false],
  [{ resident: 900, live: 60, garbage: 180 }, false],
  [{ resident: 900, live: 140, garbage: 180 }, true],
] as const)('memory of %j is short: %s', ([at, isShort]) => {
  const { watch } = watched({ ...at })
  vi.advanceTimersByTime(2 * SECOND_MS)
  expect(watch.isPressed).toBe(isShort)
  watch.stop()
})

test('after a peak whose memory the system never gets back, everybody gets in again', () => {
  const at = { resident: 300, live: 250, garbage: 0 }
  const { watch, collections } = watched(at)
  vi.advanceTimersByTime(60 * SECOND_MS)
  expect(watch.isPressed).toBe(true)
  expect(collections()).toBeLessThanOrEqual(6)
  expect(collections()).toBeGreaterThan(1)
  Object.assign(at, { live: 50, garbage: 200 })
  vi.advanceTimersByTime(12 * SECOND_MS)
  expect(at.resident).toBe(300)
  expect(watch.isPressed).toBe(false)
  watch.stop()
})
