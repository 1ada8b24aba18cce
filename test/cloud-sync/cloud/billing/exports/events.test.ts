import { expect, test } from 'vitest'
import {
  cloudEventOf,
  type LedgerRecord,
  stripeMeterEvents,
} from '../../../../../cloud-sync/cloud/billing/index.ts'
import type { Epoch, GatewayId } from '../../../../../cloud-sync/contract/index.ts'
import { DAM } from '../../../../support/billing-world.ts'

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
const to = { customer: 'cus_1', now: AT + 60_000, adjustment: 'dam 2026-08 2026-07' }

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

test('a record is one Stripe event for each billed meter, what is not billable left out', () => {
  expect(stripeMeterEvents(record, to)).toEqual([
    {
      event_name: 'headgate_sensor_days',
      identifier: `GW-1:${EPOCH}:42:sensor.active_day`,
      timestamp: AT / 1_000,
      payload: { stripe_customer_id: 'cus_1', value: '2' },
    },
    {
      event_name: 'headgate_cellular_bytes',
      identifier: `GW-1:${EPOCH}:42:cell.alloc`,
      timestamp: AT / 1_000,
      payload: { stripe_customer_id: 'cus_1', value: '1152921504606846976' },
    },
  ])
})

test.for([
  ['35 days ago', AT - 35 * DAY_MS, AT - 35 * DAY_MS, 'GW-1:'],
  ['a moment longer ago: as of now, under our adjustment', AT - 35 * DAY_MS - 1, AT, 'dam 2026-08'],
  ['five minutes ahead', AT + 300_000, AT + 300_000, 'GW-1:'],
  ['a second more ahead: as of now', AT + 301_000, AT, 'GW-1:'],
] as const)('Stripe gets a record of %s', ([, wallEnd, sentAt, prefix]) => {
  const [event] = stripeMeterEvents({ ...record, wallEnd }, { ...to, now: AT })
  expect(event?.timestamp).toBe(Math.floor(sentAt / 1_000))
  expect(event?.identifier.startsWith(prefix)).toBe(true)
})

test('an identifier never has more than 100 characters, and stays one of its own', () => {
  const long = { ...record, gateway: 'G'.repeat(64) as GatewayId }
  const identifiers = [long, { ...long, seq: 43 }].flatMap((one) =>
    stripeMeterEvents(one, to).map(({ identifier }) => identifier),
  )
  expect(identifiers.every((identifier) => identifier.length <= 100)).toBe(true)
  expect(new Set(identifiers).size).toBe(4)
})
