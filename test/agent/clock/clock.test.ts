import { expect, test } from 'vitest'
import { type ClockStep, GatewayClock, systemSources, type TimeSources } from '../../../agent/clock/index.ts'

const HOUR = 3_600_000
const NOON = Date.UTC(2026, 10, 21, 12)

class Sources implements TimeSources {
  bootId = 'boot'
  mono = 5000
  wall = NOON
  synced = false
  monoMs = (): number => this.mono
  wallMs = (): number => this.wall
  wallIsSynced = (): boolean => this.synced
  pass(ms: number): void {
    this.mono += ms
    this.wall += ms
  }
}

const clockOf = (
  sources: Sources,
  of: { highWaterMs?: number | null; cloudConfigured?: boolean } = {},
): GatewayClock =>
  new GatewayClock({
    sources,
    highWaterMs: of.highWaterMs ?? null,
    cloudConfigured: of.cloudConfigured ?? true,
  })

test('a new gateway believes no clock until a time server or the cloud has spoken', () => {
  const sources = new Sources()
  const clock = clockOf(sources)
  expect(clock.now()).toMatchObject({ clock: 'unsynced', day: null })
  sources.synced = true
  clock.look()
  expect(clock.now()).toMatchObject({ clock: 'synced', day: '2026-11-21' })
})

const starts: [string, number, boolean, object][] = [
  ['an hour later than it ended', HOUR, false, { clock: 'holdover', day: '2026-11-21' }],
  ['earlier than it ended', -HOUR, false, { clock: 'unsynced', day: null }],
  ['two days later, without a time server', 48 * HOUR, false, { clock: 'unsynced' }],
  ['two days later, by a time server alone', 48 * HOUR, true, { clock: 'unsynced' }],
  ['an hour later, by a time server', HOUR, true, { clock: 'synced' }],
]
test.for(starts)('a start %s is believed as far as that goes', ([, later, synced, expected]) => {
  const sources = new Sources()
  sources.synced = synced
  expect(clockOf(sources, { highWaterMs: NOON - later }).now()).toMatchObject(expected)
})

test('without a cloud the time server is the best there is, also after a long time off', () => {
  const sources = new Sources()
  sources.synced = true
  const clock = clockOf(sources, { highWaterMs: NOON - 100 * 24 * HOUR, cloudConfigured: false })
  expect(clock.now()).toMatchObject({ clock: 'synced', day: '2026-11-21' })
})

test('a step of more than a day is believed only with the signed time of the cloud', () => {
  const sources = new Sources()
  sources.synced = true
  const clock = clockOf(sources)
  sources.wall += 30 * 24 * HOUR
  clock.look()
  expect(clock.now().day).toBe('2026-11-21')
  clock.learn(sources.wall)
  expect(clock.now()).toMatchObject({ clock: 'synced', day: '2026-12-21' })
})

test('an old message of the cloud never sets trusted time back', () => {
  const sources = new Sources()
  const clock = clockOf(sources)
  clock.learn(NOON)
  sources.pass(HOUR)
  clock.learn(NOON - 20 * HOUR)
  expect(clock.highWaterMs()).toBe(NOON + HOUR)
})

test('the time of a mobile network dates what nothing better does, and is no more than held over', () => {
  const sources = new Sources()
  const clock = clockOf(sources)
  sources.wall = 0
  clock.learnFromNetwork(NOON)
  expect(clock.now()).toMatchObject({ clock: 'holdover', day: '2026-11-21' })
  expect(clock.now().maxErrMs).toBeGreaterThanOrEqual(10_000)
  // A network that says something else by more than a day is not believed, and no one beside the cloud.
  clock.learnFromNetwork(NOON + 30 * 24 * HOUR)
  expect(clock.now().day).toBe('2026-11-21')
  clock.learn(NOON + HOUR)
  clock.learnFromNetwork(NOON - 5 * HOUR)
  expect(clock.now()).toMatchObject({ clock: 'synced', trustedMs: NOON + HOUR })
  // The cloud is long silent: better the network's time than a crystal's of two days.
  sources.mono += 48 * HOUR
  clock.learnFromNetwork(NOON + 49 * HOUR + 7_000)
  expect(clock.now()).toMatchObject({ clock: 'holdover', trustedMs: NOON + 49 * HOUR + 7_000 })
})

test('trusted time goes on by the monotonic clock, whatever the wall clock does, and grows less certain', () => {
  const sources = new Sources()
  const clock = clockOf(sources)
  clock.learn(NOON)
  const before = clock.now().maxErrMs
  sources.wall = 0
  sources.mono += 13 * HOUR
  expect(clock.now()).toMatchObject({ clock: 'synced', day: '2026-11-22', wallMs: 0 })
  expect(clock.now().maxErrMs).toBeGreaterThan(before)
  sources.mono += 24 * HOUR
  expect(clock.now().clock).toBe('holdover')
})

const steps: [string, number, number[]][] = [
  ['a second is no step', 1000, []],
  ['ten seconds forward', 10_000, [10_000]],
  ['a day back', -24 * HOUR, [-24 * HOUR]],
]
test.for(steps)('%s is noticed as it should be', ([, by, expected]) => {
  const sources = new Sources()
  const clock = clockOf(sources)
  const heard: ClockStep[] = []
  const stop = clock.onStep((step) => heard.push(step))
  sources.pass(1000)
  sources.wall += by
  clock.look()
  sources.pass(1000)
  clock.look()
  expect(heard.map(({ stepMs }) => stepMs)).toEqual(expected)
  stop()
})

test('the machine names its boot and its monotonic clock does not go back', () => {
  const sources = systemSources()
  const first = sources.monoMs()
  expect(sources.bootId).toMatch(/^[0-9a-f-]{36}$/)
  expect(sources.monoMs()).toBeGreaterThanOrEqual(first)
})
