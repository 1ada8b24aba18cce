import { expect, test } from 'vitest'
import {
  cloudEventOf,
  type DayFact,
  type LedgerRecord,
  type MeterDelta,
  meterDeltas,
  meterTimestamp,
} from '../../../../../cloud-sync/cloud/billing/index.ts'
import type { Epoch, GatewayId, OrgId } from '../../../../../cloud-sync/contract/index.ts'
import { active, DAM, sensors, sent } from '../../../../support/billing-world.ts'

const DAY_MS = 86_400_000
const AT = Date.parse('2026-07-01T12:00:00Z')
const EPOCH = '0123456789abcdef0123456789abcdef' as Epoch
const posting = { custodian: 'anna', workspace: 'wall', billable: true }
const record: LedgerRecord = {
  gateway: 'GW-1' as GatewayId,
  epoch: EPOCH,
  seq: 42,
  org: DAM,
  day: '2026-07-01',
  label: null,
  isWon: false,
  wallEnd: AT,
  receivedAt: AT + 1_000,
  postings: [
    { ...posting, meter: 'sensor.active_day', subject: 'sensor:a/main', quantity: 1n },
    { ...posting, meter: 'sensor.active_day', subject: 'sensor:b/main', quantity: 1n },
    { ...posting, meter: 'sensor.active_day', subject: 'sensor:battery/main', quantity: 1n, billable: false },
    { ...posting, meter: 'sensor.readings', subject: 'sensor:a/main', quantity: 60n },
    { ...posting, meter: 'cell.alloc', subject: 'gateway', quantity: 2n ** 60n },
  ],
}
test('a record is a CloudEvent that is the same each time, its quantities as texts', () => {
  const event = cloudEventOf(record)
  expect(event).toMatchObject({
    specversion: '1.0',
    id: '0000000000000042',
    sequence: '0000000000000042',
    source: `/gw/GW-1/${EPOCH}`,
    type: 'io.headgate.usage.v1',
    subject: 'dam',
    time: '2026-07-01T12:00:00.000Z',
    recordedtime: '2026-07-01T12:00:01.000Z',
    data: { day: '2026-07-01' },
  })
  expect(event.data.usage).toHaveLength(5)
  expect(event.data.usage[4]?.quantity).toBe('1152921504606846976')
  expect(JSON.stringify(cloudEventOf(structuredClone(record)))).toBe(JSON.stringify(event))
})

test('stretches of one record are events of their own, and their names are the same each time', () => {
  const given = (seq: number, epoch = EPOCH, isWon = false) =>
    cloudEventOf({ ...record, label: { epoch, seq }, isWon }).id
  const ids = [
    cloudEventOf(record).id,
    given(43),
    given(44),
    given(43, 'f'.repeat(32) as Epoch),
    given(43, EPOCH, true),
  ]
  expect(new Set(ids).size).toBe(5)
  expect(ids[1]).toBe('0000000000000042-0000000000000043')
  expect(given(43)).toBe(ids[1])
  // The next record comes after all of them, as texts too.
  expect(ids.every((id) => id < '0000000000000043')).toBe(true)
})

const JULY_ALONE = new Set(['2026-07'])
const deltas = (facts: readonly DayFact[], recorded: readonly MeterDelta[] = [], period = '2026-07') =>
  meterDeltas({ org: DAM, period, months: JULY_ALONE, facts, recorded })

test('Stripe is told the billed sum of each day and meter, once for each closing that knew more', () => {
  const first = deltas([
    ...sensors('2026-07-01', 2),
    active('2026-07-01', 'battery', { billable: false }),
    active('2026-07-01', 'a', { meter: 'sensor.readings', quantity: 60n }),
    sent('2026-07-01', 2n ** 60n),
  ])
  expect(first).toEqual([
    {
      ...{ identifier: 'dam:2026-07-01:cell.alloc:2026-07', day: '2026-07-01', meter: 'cell.alloc' },
      ...{ counted: 2n ** 60n, value: 2n ** 60n },
    },
    {
      ...{ identifier: 'dam:2026-07-01:sensor.active_day:2026-07', day: '2026-07-01' },
      ...{ meter: 'sensor.active_day', counted: 2n, value: 2n },
    },
  ])
  const late = deltas([...sensors('2026-07-01', 5), sent('2026-07-01', 2n ** 60n)], first, '2026-08')
  expect(late.map(({ identifier, value }) => [identifier, value])).toEqual([
    ['dam:2026-07-01:sensor.active_day:2026-08', 3n],
  ])
})

test('what fell is taken off the next events of its meter, never below zero, and nothing of it is lost', () => {
  const first = deltas([...sensors('2026-07-01', 9), ...sensors('2026-07-02', 9)])
  const fell = deltas(sensors('2026-07-01', 4), first, '2026-08')
  expect(fell.map(({ day, counted, value }) => [day, counted, value])).toEqual([
    ['2026-07-01', -5n, 0n],
    ['2026-07-02', -9n, 0n],
  ])
  const recorded = [...first, ...fell]
  const next = deltas([...sensors('2026-07-01', 4), ...sensors('2026-07-03', 20)], recorded, '2026-09')
  expect(next.map(({ day, counted, value }) => [day, counted, value])).toEqual([['2026-07-03', 20n, 6n]])
  const all = [...recorded, ...next]
  const sum = (of: 'counted' | 'value'): bigint => all.reduce((total, one) => total + one[of], 0n)
  expect(sum('value')).toBe(sum('counted'))
})

test('the same closing made again has the same identifiers, whatever the clock says', () => {
  const facts = sensors('2026-07-01', 2)
  expect(deltas(facts)).toEqual(deltas(structuredClone(facts)))
})

const NOON = Date.parse('2026-07-01T12:00:00Z')
test.for([
  ['a day ago: its noon', NOON + DAY_MS, NOON],
  ['34 days ago: its noon', NOON + 34 * DAY_MS, NOON],
  ['longer ago: now', NOON + 34 * DAY_MS + 1_000, NOON + 34 * DAY_MS + 1_000],
  ['today before noon: now', NOON - 1_000, NOON - 1_000],
] as const)('Stripe is told of a day of %s', ([, now, expected]) => {
  expect(meterTimestamp('2026-07-01', now)).toBe(expected / 1_000)
})

test('an identifier never has more than 100 characters, and stays one of its own', () => {
  const org = 'o'.repeat(64) as OrgId
  const made = meterDeltas({
    ...{ org, period: '2026-07', months: JULY_ALONE, recorded: [] },
    facts: [...sensors('2026-07-01', 1), ...sensors('2026-07-02', 1)],
  })
  expect(made.every(({ identifier }) => identifier.length <= 100)).toBe(true)
  expect(new Set(made.map(({ identifier }) => identifier)).size).toBe(2)
})
