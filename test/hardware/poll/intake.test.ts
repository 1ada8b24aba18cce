import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  type DeviceConfig,
  type HardwareConfig,
  type LineConfig,
  checkHardware,
} from '../../../hardware/index.ts'
import { takeIn } from '../../../hardware/poll/intake.ts'
import { Neighbours } from '../../../hardware/poll/neighbours.ts'
import type { Reading } from '../../../hardware/reading.ts'
import { COUNTER_PROFILE } from '../../support/counter-slaves.ts'
import { VirtualClock } from './virtual.ts'

const line = (id: string, path: string): LineConfig => ({
  id,
  port: { kind: 'path', path },
  baud: 9600,
  format: '8E1',
})
const device = (over: Partial<DeviceConfig>): DeviceConfig => ({
  id: 'd1',
  line: 'port1',
  address: 1,
  profile: COUNTER_PROFILE,
  everyMs: 1000,
  calibrations: [],
  ...over,
})
const site = (...devices: DeviceConfig[]): HardwareConfig => ({ lines: [line('port1', '/dev/a')], devices })
const takeInNow = (config: HardwareConfig) => takeIn(config, new Neighbours(new VirtualClock()))
const GEOKON = readFileSync(new URL('../../../hardware/profiles/geokon-3810a.yaml', import.meta.url), 'utf8')

describe('a device that cannot be polled is refused alone', () => {
  test.for([
    {
      why: "its address is nobody's",
      over: { address: 0 },
      code: 'DEVICE_REFUSED',
      says: 'its address is 0, not 1 to 247',
    },
    { why: 'its address is too high', over: { address: 248 }, code: 'DEVICE_REFUSED', says: 'not 1 to 247' },
    {
      why: 'another has its address',
      over: { address: 9 },
      code: 'DEVICE_REFUSED',
      says: 'device other has the same address 9',
    },
    {
      why: 'another has its name',
      over: { id: 'other' },
      code: 'DEVICE_REFUSED',
      says: 'two devices of this name',
    },
    {
      why: 'its line is not there',
      over: { line: 'port9' },
      code: 'DEVICE_REFUSED',
      says: 'no usable line port9',
    },
    {
      why: 'its interval is no number',
      over: { everyMs: Number.NaN },
      code: 'DEVICE_REFUSED',
      says: 'its interval is NaN ms',
    },
    {
      why: 'it wants more than the line has',
      over: { everyMs: 30 },
      code: 'LINE_OVERLOADED',
      says: 'of at most 80.0 %',
    },
    { why: 'its profile is not YAML', over: { profile: '{' }, code: 'PROFILE_INVALID', says: 'line 1' },
    {
      why: 'its profile does not do what its example says',
      over: { profile: COUNTER_PROFILE.replace('count: 42', 'count: 43') },
      code: 'PROFILE_EXAMPLE_FAILED',
      says: '43',
    },
  ])('because $why', ({ over, code, says }) => {
    const config = site(device({ id: 'other', address: 9 }), device({ id: 'odd', ...over }))
    const { lines, refusals } = takeInNow(config)
    expect(refusals).toMatchObject([{ subject: 'device', error: { code } }])
    expect(refusals[0]?.error.message).toContain(says)
    expect(lines[0]?.devices.map(({ id }) => id)).toEqual(['other'])
    expect(checkHardware(config)).toMatchObject({ refusals, lines: [{ id: 'port1', devices: 1 }] })
  })

  test("and so are its line's other devices where the line itself is refused", () => {
    const config: HardwareConfig = {
      lines: [line('port1', '/dev/a'), line('port2', '/dev/a')],
      devices: [device({}), device({ id: 'd2', line: 'port2' })],
    }
    expect(checkHardware(config).refusals).toMatchObject([
      { subject: 'line', id: 'port2', error: { code: 'LINE_REFUSED' } },
      { subject: 'device', id: 'd2', error: { code: 'DEVICE_REFUSED' } },
    ])
  })

  test('and nothing is refused of a sound configuration', () => {
    expect(checkHardware(site(device({}), device({ id: 'd2', address: 2 }))).refusals).toEqual([])
  })
})

test('devices that share a trigger share the time of its wait', () => {
  const strings = Array.from({ length: 10 }, (_, n) =>
    device({ id: `s${n}`, address: n + 1, profile: GEOKON, everyMs: 2_000 }),
  )
  const { lines, refusals } = takeInNow(site(...strings))
  expect(refusals).toEqual([])
  // The broadcast, 800 ms until the tenth is ready, and ten reads of about 31 ms.
  expect((lines[0]?.load ?? 0) * 2_000).toBeGreaterThan(1_050)
  expect((lines[0]?.load ?? 0) * 2_000).toBeLessThan(1_200)
})

describe('the last value of a neighbour', () => {
  const reading = (value: number, quality: 'good' | 'bad'): Reading => ({
    device: 'baro',
    sensor: 'main',
    channel: 'p',
    takenAt: 0,
    value,
    unit: 'kPa',
    quality,
    reason: null,
    derived: false,
    calibration: 0,
    alarm: false,
    payloadBytes: 2,
  })
  const ref = { device: 'baro', sensor: 'main', channel: 'p', maxAgeMs: 1000 }

  test('is the newest good one, as old as the monotonic clock says', async () => {
    const clock = new VirtualClock()
    const neighbours = new Neighbours(clock)
    expect(neighbours.get(ref)).toBeUndefined()
    neighbours.note([reading(101, 'good'), reading(0, 'bad')])
    await clock.pass(400)
    clock.jump(-86_400_000)
    expect(neighbours.get(ref)).toEqual({ value: 101, takenAt: clock.wall() - 400 })
  })
})
