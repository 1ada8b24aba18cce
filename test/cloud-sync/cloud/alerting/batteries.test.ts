import { expect, test } from 'vitest'
import { parse } from 'yaml'
import {
  BatteryConditions,
  type BatteryLimit,
  isCharge,
} from '../../../../cloud-sync/cloud/alerting/batteries.ts'
import { ChannelDef } from '../../../../cloud-sync/contract/index.ts'
import { shippedProfile } from '../../../support/shipped-profile.ts'

const def = (sensor: string, channel: string, unit: string): ChannelDef =>
  ChannelDef.parse({
    ...{ no: 1, device: 'mote-1', sensor, channel, unit, org: 'acme', ownerEpoch: 1 },
    ...{ resolution: null, derived: false },
  })

const names: [string, string, string, boolean][] = [
  ['main', 'battery', '%', true],
  ['main', 'battery_charge', '%', true],
  ['main', 'batteryLevel', '%', true],
  ['housing', 'batt', '%', true],
  ['battery', 'charge', '%', true],
  ['main', 'left', '%EL', true],
  ['main', 'charge', '%', false],
  ['battery', 'humidity', '%', false],
  ['main', 'humidity', '%', false],
  ['main', 'battery', 'V', false],
  ['main', 'battery_low', '1', false],
]
test.for(names)('%s/%s in %s says how full a battery is: %s', ([sensor, channel, unit, expected]) => {
  expect(isCharge(def(sensor, channel, unit))).toBe(expected)
})

test('of the solar charge controller that comes along it is the charge, not the voltage or temperature', () => {
  const { channels } = parse(shippedProfile('epever-tracer/1')) as {
    channels: { id: string; sensor: string; unit: string }[]
  }
  const found = channels.filter(({ id, sensor, unit }) => isCharge(def(sensor, id, unit)))
  expect(found.map(({ id }) => id)).toEqual(['battery_charge'])
})

const LIMIT: BatteryLimit = { below: 20, recovered: 25 }
const cases: [string, (number | undefined)[], (boolean | undefined)[]][] = [
  [
    'a low one is told once until it has recovered',
    [19, 5, 21, 24, 19, 25, 30, 19],
    [true, undefined, undefined, undefined, undefined, false, undefined, true],
  ],
  ['the first that is well ends what was open before', [25, 30], [false, undefined]],
  ['one that is neither when the cloud starts is left as it was', [22, 21, 19], [undefined, undefined, true]],
  ['at the limit it is not low', [20, 19.9], [undefined, true]],
  ['a bad reading says nothing', [undefined, 19, undefined, 30], [undefined, true, undefined, false]],
]
test.for(cases)('%s', ([, values, told]) => {
  const batteries = new BatteryConditions()
  const news = values.map(
    (value) => batteries.note('d', [{ channel: 'battery', unit: '%', value, limit: LIMIT }])?.low,
  )
  expect(news).toEqual(told)
})

test('a device with two batteries is low until both have recovered', () => {
  const batteries = new BatteryConditions()
  const note = (a: number, b: number) =>
    batteries.note('d', [
      { channel: 'a', unit: '%', value: a, limit: LIMIT },
      { channel: 'b', unit: '%', value: b, limit: LIMIT },
    ])
  expect(note(90, 10)).toEqual({ low: true, channel: 'b', unit: '%', value: 10 })
  expect(note(10, 90)).toBeUndefined()
  expect(note(90, 90)).toEqual({ low: false })
})

test('without a limit any more a device is no longer low, and without a battery it never was', () => {
  const batteries = new BatteryConditions()
  const note = (limit: BatteryLimit | undefined) =>
    batteries.note('d', [{ channel: 'battery_voltage', unit: 'V', value: 11, limit }])
  expect(note(undefined)).toBeUndefined()
  expect(note({ below: 11.5, recovered: 11.7 })).toMatchObject({ low: true })
  expect(note(undefined)).toEqual({ low: false })
})

test('what could not be told is told with the next reading', () => {
  const batteries = new BatteryConditions()
  const note = () => batteries.note('d', [{ channel: 'battery', unit: '%', value: 1, limit: LIMIT }])
  expect(note()).toMatchObject({ low: true })
  expect(note()).toBeUndefined()
  batteries.forget('d')
  expect(note()).toMatchObject({ low: true })
})
