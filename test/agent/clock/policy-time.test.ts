import { expect, test } from 'vitest'
import { type KeptPolicyTime, PolicyTime } from '../../../agent/clock/index.ts'

const DAY = 86_400_000
const T0 = Date.UTC(2026, 10, 22)

/** A machine whose monotonic clock a test moves; the wall clock does not exist here. */
function machine(bootId = 'boot-1', monoMs = 5000) {
  const clock = { monoMs }
  const start = (kept: KeptPolicyTime | null): PolicyTime =>
    new PolicyTime({ bootId, monoMs: () => clock.monoMs, kept })
  const pass = (ms: number): void => {
    clock.monoMs += ms
  }
  return { start, pass }
}

test('it is signed time plus counted running time, and never goes back', () => {
  const { start, pass } = machine()
  const time = start(null)
  expect(time.when()).toEqual({ place: 'gateway', at: 0, signed: false })
  pass(1000)
  time.learn(T0)
  expect(time.when()).toEqual({ place: 'gateway', at: T0, signed: true })
  pass(DAY)
  time.learn(T0 + 5000)
  expect(time.when().at).toBe(T0 + DAY)
  time.learn(T0 + 2 * DAY)
  expect(time.when().at).toBe(T0 + 2 * DAY)
  expect(time.countedRunningMs()).toBe(DAY + 1000)
})

test('the process may go and come: within one boot nothing is lost', () => {
  const { start, pass } = machine()
  const before = start(null)
  before.learn(T0)
  pass(10_000)
  const kept = before.keep()
  pass(20_000)
  const after = start(kept)
  expect(after.when()).toEqual({ place: 'gateway', at: T0 + 30_000, signed: true })
  expect(after.countedRunningMs()).toBe(30_000)
})

test('another boot goes on where the last one stood, and is not signed until there is newer signed time', () => {
  const first = machine()
  const before = first.start(null)
  before.learn(T0)
  first.pass(DAY)
  const second = machine('boot-2', 10)
  const time = second.start(before.keep())
  expect(time.when()).toEqual({ place: 'gateway', at: T0 + DAY, signed: false })
  second.pass(3000)
  expect(time.countedRunningMs()).toBe(DAY + 3000)
  // An acknowledgement from before the power cut, recorded on the way and played again.
  time.learn(T0 + DAY - 1)
  expect(time.when().signed).toBe(false)
  time.learn(T0 + DAY + 59_999)
  expect(time.when().signed).toBe(false)
  time.learn(T0 + DAY + 60_000)
  expect(time.when()).toEqual({ place: 'gateway', at: T0 + DAY + 60_000, signed: true })
})

test('a policy of a kept database moves it on, but does not count as signed time of this boot', () => {
  const { start } = machine('boot-3')
  const time = start(null)
  time.atLeast(T0)
  expect(time.when()).toEqual({ place: 'gateway', at: T0, signed: false })
})

test('a cloud whose clock was ten years ahead is outlived by a new generation only', () => {
  const { start, pass } = machine()
  const time = start(null)
  time.learn(T0 + 3650 * DAY)
  time.learn(T0)
  expect(time.when().at).toBe(T0 + 3650 * DAY)
  pass(500)
  time.beginAnew(T0)
  pass(1)
  expect(time.when()).toEqual({ place: 'gateway', at: T0 + 1, signed: true })
  expect(time.countedRunningMs()).toBe(501)
})

test('a monotonic clock that went back under the same boot id is another boot', () => {
  const { start } = machine('boot-1', 100)
  const kept = { at: T0, monoMs: 5000, bootId: 'boot-1', signed: true, runningMs: 7 }
  const time = start(kept)
  expect(time.when()).toEqual({ place: 'gateway', at: T0, signed: false })
  expect(time.countedRunningMs()).toBe(7)
})
