import { beforeEach, expect, test, vi } from 'vitest'
import type { Subscriber } from '../../../broker/delivery/subscriber.ts'
import type { Dialogue } from '../../../broker/exchange/dialogue.ts'
import { Pace } from '../../../broker/exchange/pace.ts'
import type { Principal } from '../../../broker/policy.ts'

beforeEach(() => {
  vi.useFakeTimers()
  return () => vi.useRealTimers()
})

function publisher() {
  const held = new Set<string>()
  const connection = {
    isOpen: true,
    hold: (reason: string) => void held.add(reason),
    release: (reason: string) => void held.delete(reason),
  }
  return { held, dialogue: { connection } as unknown as Dialogue<Principal> }
}

const behind = (taken = 0) => ({ isBehind: true, taken })
const as = (subscriber: object) => subscriber as unknown as Subscriber<Principal>

/** A subscriber that is behind and takes so many a second, looked at for two seconds. */
function paced(perSecond: number): { pace: Pace<Principal>; subscriber: ReturnType<typeof behind> } {
  const pace = new Pace<Principal>(() => Date.now())
  const subscriber = behind()
  for (let tick = 0; tick < 20; tick += 1) {
    pace.judge(as(subscriber))
    subscriber.taken += perSecond / 10
    vi.advanceTimersByTime(100)
  }
  return { pace, subscriber }
}

test.each([
  { perSecond: 10_000, waits: true },
  { perSecond: 6_000, waits: true },
  { perSecond: 4_000, waits: false },
  { perSecond: 1_500, waits: false },
  { perSecond: 0, waits: false },
])('a publisher waits for a subscriber that takes $perSecond a second: $waits', ({ perSecond, waits }) => {
  const { pace, subscriber } = paced(perSecond)
  const { held, dialogue } = publisher()
  pace.consider(dialogue, as(subscriber))
  expect(held.has('pace')).toBe(waits)
})

test('nobody waits longer than a tenth of a second at a time', () => {
  const { pace, subscriber } = paced(10_000)
  const { held, dialogue } = publisher()
  pace.consider(dialogue, as(subscriber))
  vi.advanceTimersByTime(90)
  expect(held.has('pace')).toBe(true)
  vi.advanceTimersByTime(20)
  expect(held.has('pace')).toBe(false)
})

test('a pause ends when the subscriber has caught up', () => {
  const { pace, subscriber } = paced(10_000)
  const { held, dialogue } = publisher()
  pace.consider(dialogue, as(subscriber))
  subscriber.isBehind = false
  vi.advanceTimersByTime(10)
  expect(held.has('pace')).toBe(false)
})
