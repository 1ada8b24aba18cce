import { afterEach, expect, test } from 'vitest'
import type { Subject, UsageRecord } from '../../../cloud-sync/contract/index.ts'
import { USAGE_QUALITY } from '../../../cloud-sync/contract/index.ts'
import { checkDayCloses } from '../../support/day-closes.ts'
import {
  MeteredLedger,
  ModelMachine,
  ownerOf,
  postedFrom,
  sumsBy,
  zonesOf,
} from '../../support/metered-ledger.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const acme = ownerOf('acme')
const borealis = ownerOf('borealis')
const tilt = 'sensor:tilt/main' as Subject
let open: MeteredLedger[] = []
const meteredLedger = (of: ConstructorParameters<typeof MeteredLedger>[0] = {}): MeteredLedger => {
  const made = new MeteredLedger(of)
  open.push(made)
  return made
}
afterEach(() => {
  for (const one of open) one.close()
  open = []
})

/** One reading of `tilt` every `everyMs` for so long. */
function run(gateway: MeteredLedger, ms: number, { everyMs = 10 * MINUTE, owner = acme } = {}): void {
  for (let passed = 0; passed < ms; passed += everyMs) {
    gateway.machine.pass(everyMs)
    gateway.commit([{ subject: tilt, owner, count: 1 }])
  }
}

const days = (records: readonly UsageRecord[], meter: string): [string, bigint][] => [
  ...sumsBy(
    postedFrom(records).filter((one) => one.meter === meter),
    ({ day }) => day ?? 'none',
  ),
]

const shifts = [
  ['a day of 23 hours', '2026-03-29', 138n],
  ['a day of 25 hours', '2026-10-25', 150n],
] as const
test.for(shifts)('I12 %s is one sensor-day, closed at midnight of its zone', ([, day, readings]) => {
  const machine = new ModelMachine()
  machine.wall = Date.parse(`${day}T00:00:00Z`) - 2 * 24 * HOUR
  const gateway = meteredLedger({ machine, zones: zonesOf('acme', ['2026-01-01', 'Europe/Berlin']) })
  run(gateway, 5 * 24 * HOUR)
  const records = gateway.records()
  const sensorDays = new Map(days(records, 'sensor.active_day'))
  expect([...new Set(sensorDays.values())]).toEqual([1n])
  expect(new Map(days(records, 'sensor.readings')).get(day)).toBe(readings)
  expect(
    records.filter(({ kind }) => kind === 'interval').every(({ time }) => time.tz === 'Europe/Berlin'),
  ).toBe(true)
  const closed = records.filter(({ kind, time }) => kind === 'day_close' && time.day === day)
  expect(closed.map(({ time }) => new Date(time.wallStart).toISOString())).toEqual([
    // The first commit after midnight in Berlin, summer time in the one case and winter time in the other.
    day === '2026-03-29' ? '2026-03-29T22:00:00.000Z' : '2026-10-25T23:00:00.000Z',
  ])
  checkDayCloses(records)
})

test('I12 a zone that changes in the middle of a day, either way, leaves one sensor-day a day', () => {
  for (const zone of ['Pacific/Kiritimati', 'Pacific/Pago_Pago', 'Asia/Kathmandu']) {
    const gateway = meteredLedger({ zones: zonesOf('acme', ['2026-01-01', 'Europe/Berlin']) })
    run(gateway, 30 * HOUR)
    gateway.zones = zonesOf('acme', ['2026-01-01', 'Europe/Berlin'], ['2026-11-24', zone])
    gateway.ledger.closeAtNextCommit()
    run(gateway, 4 * 24 * HOUR)
    const sensorDays = days(gateway.records(), 'sensor.active_day')
    expect(sensorDays.map(([, count]) => count)).toEqual(sensorDays.map(() => 1n))
    expect(sensorDays.map(([day]) => day)).toEqual(
      expect.arrayContaining(['2026-11-21', '2026-11-22', '2026-11-23', '2026-11-24', '2026-11-25']),
    )
    checkDayCloses(gateway.records())
  }
})

test('I12 an owner that changes in the middle of a day takes over with the next day of its own zone', () => {
  const zones = new Map([
    ...zonesOf('acme', ['2026-01-01', 'Asia/Tokyo']),
    ...zonesOf('borealis', ['2026-01-01', 'America/Lima']),
  ])
  const gateway = meteredLedger({ zones })
  run(gateway, 24 * HOUR)
  gateway.ledger.closeAtNextCommit()
  run(gateway, 48 * HOUR, { owner: borealis })
  const posted = postedFrom(gateway.records()).filter(({ meter }) => meter === 'sensor.active_day')
  const bySensorDay = sumsBy(posted, ({ subject, day }) => `${subject} ${day ?? ''}`)
  expect([...new Set(bySensorDay.values())]).toEqual([1n])
  const payers = sumsBy(posted, ({ org, day }) => `${day ?? ''} ${org}`).keys()
  expect([...payers]).toEqual([
    '2026-11-21 acme',
    '2026-11-22 acme',
    '2026-11-23 borealis',
    '2026-11-24 borealis',
  ])
  checkDayCloses(gateway.records())
})

test('a record of the boot that learns the time is given the days it lay in, by the monotonic clock', () => {
  const machine = new ModelMachine()
  machine.wall = 0
  machine.isSynced = false
  const gateway = meteredLedger({ machine })
  run(gateway, 40 * MINUTE)
  gateway.ledger.closeAtNextCommit()
  run(gateway, 10 * MINUTE)
  expect(gateway.records().map(({ time }) => time.day)).toEqual([null])
  // It is ten past midnight now, so the record began 40 minutes before midnight.
  machine.wall = Date.UTC(2026, 10, 22, 0, 10)
  machine.isSynced = true
  gateway.commit([])
  run(gateway, 10 * MINUTE)
  const records = gateway.records()
  // The interval began with the first commit, after ten minutes.
  const whole = 40 * MINUTE
  expect(records.map(({ kind, time, share }) => [kind, time.day, share])).toEqual([
    ['interval', null, undefined],
    ['day_assign', '2026-11-21', { epoch: null, from: 0, to: 30 * MINUTE, of: whole }],
    ['day_assign', '2026-11-22', { epoch: null, from: 30 * MINUTE, to: whole, of: whole }],
    ['day_close', '2026-11-21', undefined],
  ])
  expect(days(records, 'sensor.readings')).toEqual([
    ['2026-11-21', 3n],
    ['2026-11-22', 2n],
  ])
  expect(days(records, 'sensor.active_day')).toEqual([
    ['2026-11-21', 1n],
    ['2026-11-22', 1n],
  ])
  checkDayCloses(records)
})

test('boots that never learnt the time lie behind the last that was known, and touch no more days than they ran', () => {
  const gateway = meteredLedger({ machine: new ModelMachine() })
  run(gateway, 2 * HOUR)
  gateway.machine.reboot(3 * 24 * HOUR, false)
  gateway.restart()
  run(gateway, 90 * MINUTE)
  gateway.machine.reboot(2 * 24 * HOUR, false)
  gateway.restart()
  run(gateway, 30 * MINUTE)
  gateway.clock.learn(Date.UTC(2026, 10, 28, 8))
  run(gateway, 10 * MINUTE)
  gateway.ledger.closeAtNextCommit()
  gateway.commit([])
  const records = gateway.records()
  expect(days(records, 'sensor.readings')).toEqual([
    ['2026-11-21', 21n],
    ['2026-11-28', 4n],
  ])
  expect(days(records, 'sensor.active_day').map(([, count]) => count)).toEqual([1n, 1n])
  const assigned = records.filter(({ kind }) => kind === 'day_assign')
  const isEstimated = (record: UsageRecord): boolean =>
    record.registers.some(({ q }) => (q & (1 << USAGE_QUALITY.EST)) !== 0)
  expect(assigned.map(({ time, bootId }) => [time.day, bootId, time.clock])).toEqual([
    ['2026-11-21', 'boot-2', 'unsynced'],
    ['2026-11-21', 'boot-2', 'unsynced'],
    ['2026-11-28', 'boot-3', 'synced'],
  ])
  expect(assigned.filter(isEstimated)).toEqual([])
  checkDayCloses(records)
  const events = records.filter(({ kind }) => kind === 'event').map(({ event }) => event)
  expect(events).toEqual(['boot', 'boot'])
})

test('a sensor of an interval that had no day is billed on the days of its own readings alone', () => {
  const machine = new ModelMachine()
  machine.isSynced = false
  machine.wall = 0
  const ledger = meteredLedger({ machine, intervalMs: 24 * HOUR })
  const owner = ownerOf('acme')
  const read = (...names: string[]): void => {
    ledger.commit(names.map((name) => ({ subject: `sensor:${name}/main` as Subject, owner, count: 1 })))
  }
  read('early', 'often')
  for (let hour = 1; hour < 20; hour += 1) {
    machine.pass(HOUR)
    read('often')
  }
  machine.pass(HOUR)
  read('late', 'often')
  // Killed meanwhile: what is known of it is in the database.
  ledger.restart()
  machine.pass(HOUR)
  ledger.clock.learn(Date.UTC(2026, 5, 2, 9))
  ledger.commit([])
  machine.pass(60_000)
  ledger.commit([])
  const days = sumsBy(
    postedFrom(ledger.records()).filter(({ meter }) => meter === 'sensor.active_day'),
    ({ subject, day }) => `${subject} ${day ?? ''}`,
  )
  expect([...days]).toEqual([
    ['sensor:early/main 2026-06-01', 1n],
    ['sensor:late/main 2026-06-02', 1n],
    ['sensor:often/main 2026-06-01', 1n],
    ['sensor:often/main 2026-06-02', 1n],
  ])
})
