import { expect, test } from 'vitest'
import { deviceStatus, gatewayStatus, SensorPacks } from '../../../agent/policy/senml.ts'
import { GatewayId } from '../../../cloud-sync/contract/index.ts'
import type { Reading } from '../../../hardware/index.ts'

const gateway = GatewayId.parse('GW-1')
const reading = (change: Partial<Reading>): Reading => ({
  device: 'tilt',
  sensor: 'main',
  channel: 'x',
  takenAt: 1_763_764_508_123,
  value: 1.5,
  unit: 'mm',
  quality: 'good',
  reason: null,
  derived: false,
  calibration: 0,
  alarm: false,
  payloadBytes: 2,
  ...change,
})

const packOf = (readings: Reading[]): unknown =>
  JSON.parse(Buffer.from(new SensorPacks(gateway).messages(readings)[0]?.payload ?? []).toString())

const cases: [what: string, change: Partial<Reading>, record: object][] = [
  ['a number with its unit', {}, { v: 1.5, u: 'mm', q: 'good' }],
  ['a unit by its SenML name', { unit: 'kW.h' }, { v: 1.5, u: 'kWh', q: 'good' }],
  [
    'an integer that a double cannot hold is text',
    { value: 2n ** 60n },
    { vs: '1152921504606846976', u: 'mm', q: 'good' },
  ],
  ['a text has no unit', { value: 'open' }, { vs: 'open', q: 'good' }],
  [
    'nothing read is an empty text, for a record must have a value',
    { value: null, quality: 'bad', reason: 'timeout' },
    { vs: '', q: 'bad', why: 'timeout' },
  ],
  [
    'an uncertain value says why',
    { quality: 'uncertain', reason: 'range' },
    { v: 1.5, u: 'mm', q: 'uncertain', why: 'range' },
  ],
]
test.for(cases)('%s', ([, change, record]) => {
  expect(packOf([reading(change)])).toEqual([{ n: 'x', t: 1_763_764_508.123, ...record }])
})

test('each sensor has one retained message, in the order of time, of QoS 1', () => {
  const messages = new SensorPacks(gateway).messages([
    reading({ takenAt: 2_000, value: 2 }),
    reading({ sensor: 'aux', channel: 'battery' }),
    reading({ takenAt: 1_000, value: 1 }),
  ])
  expect(messages.map(({ topic, qos, retain }) => [topic, qos, retain])).toEqual([
    ['headgate/GW-1/tilt/main/readings', 1, true],
    ['headgate/GW-1/tilt/aux/readings', 1, true],
  ])
  expect(
    packOf([reading({ takenAt: 2_000, value: 2 }), reading({ takenAt: 1_000, value: 1 })]),
  ).toMatchObject([
    { v: 1, t: 1 },
    { v: 2, t: 2 },
  ])
})

test('a channel without a new reading comes along with its last value and time', () => {
  const packs = new SensorPacks(gateway)
  packs.messages([reading({ takenAt: 1_000 }), reading({ takenAt: 1_000, channel: 'y', value: 9 })])
  const [message] = packs.messages([reading({ takenAt: 2_000, value: 3 })])
  expect(JSON.parse(Buffer.from(message?.payload ?? []).toString())).toMatchObject([
    { n: 'y', v: 9, t: 1 },
    { n: 'x', v: 3, t: 2 },
  ])
})

test('status goes to the topics of the device and of the gateway', () => {
  expect(deviceStatus(gateway, 'tilt', { state: 'lost' })).toMatchObject({
    topic: 'headgate/GW-1/tilt/status',
    payload: Buffer.from('{"state":"lost"}'),
    retain: true,
  })
  expect(gatewayStatus(gateway, { online: true }).topic).toBe('headgate/GW-1/status')
})
