import fc from 'fast-check'
import { expect, test } from 'vitest'
import { reconnectDelayMs } from '../../../cloud-sync/gateway/backoff.ts'
import { Budget } from '../../../cloud-sync/gateway/budget.ts'
import { Lanes } from '../../../cloud-sync/gateway/lanes.ts'
import { Window } from '../../../cloud-sync/gateway/window.ts'
import { type Ack, Epoch, ZERO_HASH } from '../../../cloud-sync/contract/index.ts'

const almostOne = (): number => 1 - Number.EPSILON
test.for([
  [1, 4_999],
  [2, 9_999],
  [3, 19_999],
  [4, 119_999],
  [50, 119_999],
])('after %d losses in a row it waits 0 to %d ms', ([failures = 0, most]) => {
  expect(reconnectDelayMs(failures, () => 0)).toBe(0)
  expect(reconnectDelayMs(failures, almostOne)).toBe(most)
})

test.for([
  [1, 1_000, 999],
  [2, 7_000, 6_999],
  [4, 7_000, 6_999],
  [4, 600_000, 599_999],
])(
  'after %d losses in a row it never waits longer than the %d ms that are configured',
  ([failures = 0, longest, most]) => {
    expect(reconnectDelayMs(failures, almostOne, longest)).toBe(most)
  },
)

test('over any time a budget lets through its rate, its burst and one message', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ waitMs: fc.nat({ max: 500 }), bytes: fc.nat({ max: 60_000 }) }), {
        maxLength: 200,
      }),
      (steps) => {
        let now = 0
        let spent = 0
        const budget = new Budget({ bytesPerSecond: 10_000, burstBytes: 20_000 }, () => now)
        for (const { waitMs, bytes } of steps) {
          now += waitMs
          if (budget.waitMs() > 0) continue
          budget.spend(bytes)
          spent += bytes
        }
        expect(spent).toBeLessThanOrEqual(20_000 + now * 10 + 60_000)
      },
    ),
  )
})

test('a budget that is slowed earns its share from then on, and all again when it is freed', () => {
  let now = 0
  const budget = new Budget({ bytesPerSecond: 1000, burstBytes: 500 }, () => now)
  budget.spend(1500)
  now = 500
  budget.slow(1 / 4)
  expect(budget.waitMs()).toBe(2004)
  now = 1500
  budget.slow(1)
  expect(budget.waitMs()).toBe(251)
})

test('a budget says exactly how long to wait', () => {
  let now = 0
  const budget = new Budget({ bytesPerSecond: 1000, burstBytes: 500 }, () => now)
  budget.spend(1500)
  now = budget.waitMs() - 1
  expect(budget.waitMs()).toBeGreaterThan(0)
  now += 1
  expect(budget.waitMs()).toBe(0)
})

test('control goes first, then live readings, then back-fill; each lane waits for its own budget only', () => {
  const rate = { bytesPerSecond: 1000, burstBytes: 1000 }
  const plenty = { bytesPerSecond: 1_000_000, burstBytes: 1_000_000 }
  const lanes = new Lanes({ control: rate, live: rate, backfill: rate, link: plenty }, () => 0)
  const all = (): boolean => true
  expect(lanes.turn(all)).toEqual({ stream: 'usage' })
  expect(lanes.turn((stream) => stream === 'rd/h' || stream === 'rd')).toEqual({ stream: 'rd' })
  lanes.spend('usage', 5000)
  expect(lanes.turn(all)).toEqual({ stream: 'rd' })
  lanes.spend('rd', 1500)
  expect(lanes.turn(all)).toEqual({ stream: 'rd/h' })
  lanes.spend('rd/h', 1200)
  expect(lanes.turn(all)).toEqual({ waitMs: 201 })
  expect(lanes.turn(() => false)).toBeUndefined()
})

test('a link spent by readings does not hold back control', () => {
  const rate = { bytesPerSecond: 1000, burstBytes: 1000 }
  const lanes = new Lanes({ control: rate, live: rate, backfill: rate, link: rate }, () => 0)
  lanes.spend('rd', 500)
  lanes.spend('rd/h', 5000)
  expect(lanes.turn((stream) => stream === 'rd')).toEqual({ waitMs: 4501 })
  expect(lanes.turn(() => true)).toEqual({ stream: 'usage' })
})

const epoch = Epoch.parse('5f'.repeat(16))
const ack = (upTo: number, change: Partial<Ack> = {}): Ack => ({
  epoch,
  upTo,
  hash: ZERO_HASH,
  status: 'ok',
  serverTime: 0,
  ...change,
})
const sendAll = (window: Window, now = 0): number[] => {
  const sent: number[] = []
  while (window.isReady && window.cursor < 20) {
    const first = window.cursor + 1
    window.sent({ stream: 'rd', epoch, first, last: first, body: new Uint8Array() }, now)
    sent.push(first)
  }
  return sent
}
const started = (): Window => {
  const window = new Window('rd')
  window.restart(0)
  window.hear(ack(0), 0)
  return window
}

test('a window holds eight live batches, and an acknowledgement makes room', () => {
  const window = started()
  expect(sendAll(window)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  window.hear(ack(3), 0)
  expect(sendAll(window)).toEqual([9, 10, 11])
  expect(window.unacknowledged).toBe(8)
})

test('the same gap reported by every later batch is answered once', () => {
  const window = started()
  sendAll(window)
  window.hear(ack(2, { status: 'gap', want: 3 }), 0)
  expect(sendAll(window)).toEqual([3, 4, 5, 6, 7, 8, 9, 10])
  window.hear(ack(2, { status: 'gap', want: 3 }), 0)
  expect(sendAll(window)).toEqual([])
})

test('a cloud that was set back gets everything again from where it wants', () => {
  const window = started()
  sendAll(window)
  window.hear(ack(8), 0)
  window.hear(ack(4, { status: 'gap', want: 5 }), 0)
  expect(window.acknowledged).toBe(4)
  expect(sendAll(window)).toEqual([5, 6, 7, 8, 9, 10, 11, 12])
})

test('what came in while the outbox was asked is not overlooked', () => {
  const window = started()
  const { wakes } = window
  window.wake()
  window.notedEmpty(wakes)
  expect(window.isReady).toBe(true)
  window.notedEmpty(window.wakes)
  expect(window.isReady).toBe(false)
})

test('a stream without an answer is sent again ever more rarely', () => {
  const window = started()
  const same = (ms: number): number => ms
  sendAll(window)
  expect(window.overdueMs(29_999, same)).toBeUndefined()
  expect(window.overdueMs(30_000, same)).toBe(30_000)
  window.sendAgain(30_000)
  sendAll(window, 30_000)
  expect(window.overdueMs(89_999, same)).toBeUndefined()
  expect(window.overdueMs(90_000, same)).toBe(30_000)
  window.hear(ack(1), 90_000)
  expect(window.overdueMs(120_000, same)).toBe(30_000)
})
