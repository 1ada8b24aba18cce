import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { calibrationAt } from '../../../hardware/profile/calibration.ts'
import { decimalOf, linear, quantise } from '../../../hardware/profile/decimal.ts'
import {
  loadProfile,
  type PollResult,
  protocolOf,
  readingsOf,
  senmlUnit,
} from '../../../hardware/profile/index.ts'
import type { Reading, Reason, Value } from '../../../hardware/reading.ts'

const profile = loadProfile(
  `
profile: test-gauge/1
protocol: modbus-rtu
line: { baud: 9600, format: 8E1 }
channels:
  - { id: twice, from: 2 * level, unit: m }
  - { id: level, from: "poly(digits_, cal.A, cal.B) - sensor('baro/main.p', 10min) * 0", unit: m, resolution: 0.5 }
  - { id: digits_, read: { holding: 0 }, unit: "1", range: [1000, 9000], bad: [0xFFFF], alarm: { below: 2000, above: 8000 } }
  - { id: temp, read: { holding: 1 }, type: int16, scale: 0.1, offset: -40, unit: Cel, bad: [0x7FFF] }
  - { id: total, read: { holding: 2 }, type: uint64, unit: W.h, bad: [0xFFFFFFFFFFFFFFFF] }
  - { id: pt, read: { holding: 6 }, type: float32, unit: Cel, bad: [-99.9] }
  - { id: model, read: { holding: 8 }, type: string, length: 4, sensor: about, unit: "1" }
  - { id: addressed, from: digits_ + address, unit: "1" }
  - { id: raised, from: digits_ * cal.missing, unit: "1" }
cal: { A: 2, B: 1 }
examples:
  - request: "05 03 0000 000A crc"
    reply: "05 03 14 1770 0191 0000000000000001 41A40000 41420000 crc"
    sensors: { baro/main.p: 1000 }
    values: { digits_: 6000, temp: 0.1, total: 1, pt: 20.5, model: AB, level: 12001, twice: 24002, addressed: 6005, raised: null }
`.replaceAll("'baro/main.p'", '\\"baro/main.p\\"'),
)

const poll = (raw: Record<string, Value>, over: Partial<PollResult> = {}): Record<string, Reading> => {
  const readings = readingsOf(profile, {
    device: 'gauge-1',
    address: 5,
    takenAt: 1_000_000,
    raw: Object.entries(raw).map(([channel, value]) => ({ channel, value, reason: null, payloadBytes: 2 })),
    failed: new Map(),
    calibrations: [],
    neighbour: () => ({ value: 1013, takenAt: 900_000 }),
    ...over,
  })
  return Object.fromEntries(readings.map((reading) => [reading.channel, reading]))
}

describe('a reading', () => {
  test('comes for every channel asked and every derived one whose sources were asked, and no other', () => {
    expect(Object.keys(poll({ temp: 1, pt: 2 }))).toEqual(['temp', 'pt'])
    expect(Object.keys(poll({ digits_: 5000 })).toSorted()).toEqual([
      'addressed',
      'digits_',
      'level',
      'raised',
      'twice',
    ])
  })

  test('carries device, sensor, unit and time, and its bytes only where it was read', () => {
    const { digits_, level, model } = poll({ digits_: 5000, model: 'AB' })
    expect(digits_).toMatchObject({
      device: 'gauge-1',
      sensor: 'main',
      unit: '1',
      takenAt: 1_000_000,
      payloadBytes: 2,
    })
    expect(level).toMatchObject({ derived: true, payloadBytes: 0, value: 10_001, quality: 'good' })
    expect(model).toMatchObject({ sensor: 'about', value: 'AB', quality: 'good' })
  })

  const bad: [string, string, Value, Value, Reason][] = [
    ['a sentinel', 'digits_', 0xffff, null, 'sentinel'],
    ['a sentinel before its scale', 'temp', 0x7fff, null, 'sentinel'],
    ['a sentinel of 64 bits', 'total', 0xffff_ffff_ffff_ffffn, null, 'sentinel'],
    ['a sentinel as the float32 it was sent as', 'pt', Math.fround(-99.9), null, 'sentinel'],
    ['a value out of range, which is kept', 'digits_', 9001, 9001, 'range'],
  ]
  test.for(bad)('is bad for %s', ([, channel, raw, value, reason]) => {
    expect(poll({ [channel]: raw })[channel]).toMatchObject({
      value,
      quality: 'bad',
      reason,
      alarm: false,
      payloadBytes: 0,
    })
  })

  test('is bad with its reason where the exchange failed, and so is what is derived from it', () => {
    const failed = new Map<string, Reason>([['digits_', 'timeout']])
    const got = poll({}, { failed })
    expect(got['digits_']).toMatchObject({ value: null, quality: 'bad', reason: 'timeout' })
    expect(got['twice']).toMatchObject({ value: null, quality: 'bad', reason: 'timeout', derived: true })
  })

  test('is not derived from a value out of range', () => {
    expect(poll({ digits_: 9001 })['level']).toMatchObject({ value: null, reason: 'range' })
  })

  test.for([
    [1999, true],
    [2000, false],
    [8000, false],
    [8001, true],
    [9001, false],
  ] as [number, boolean][])('of %d raises the alarm: %s', ([value, alarm]) => {
    expect(poll({ digits_: value })['digits_']?.alarm).toBe(alarm)
  })

  test('keeps an integer beyond 2^53 exact', () => {
    expect(poll({ total: 2n ** 63n })['total']).toMatchObject({ value: 2n ** 63n, quality: 'good' })
  })

  test('uses the newest calibration that has begun, and says which', () => {
    const calibrations = [
      { version: 2, validFrom: 2_000_000, values: { A: 4 } },
      { version: 1, validFrom: 500_000, values: { A: 3 } },
    ]
    expect(poll({ digits_: 5000 }, { calibrations })['level']).toMatchObject({
      value: 15_001,
      calibration: 1,
    })
    const later = poll(
      { digits_: 5000 },
      { calibrations, takenAt: 2_000_000, neighbour: () => ({ value: 1, takenAt: 2e6 }) },
    )
    expect(later['level']).toMatchObject({ value: 20_001, calibration: 2 })
    expect(later['addressed']).toMatchObject({ calibration: 0 })
    expect(poll({ digits_: 5000 })['level']).toMatchObject({ value: 10_001, calibration: 0 })
  })

  test('is bad where a constant is nowhere', () => {
    expect(poll({ digits_: 5000 })['raised']).toMatchObject({ value: null, reason: 'no-cal' })
    const calibrations = [{ version: 1, validFrom: 0, values: { missing: 2 } }]
    expect(poll({ digits_: 5000 }, { calibrations })['raised']).toMatchObject({
      value: 10_000,
      calibration: 1,
    })
  })

  test.for([
    ['is not there', undefined],
    ['is too old', { value: 1013, takenAt: 1_000_000 - 600_001 }],
  ] as const)('is stale where the neighbour %s', ([, neighbour]) => {
    expect(poll({ digits_: 5000 }, { neighbour: () => neighbour })['level']).toMatchObject({
      value: null,
      quality: 'bad',
      reason: 'stale',
    })
  })
})

describe('decimals', () => {
  test('a scaled integer is the decimal one writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e9, max: 1e9 }), fc.constantFrom(1, 2, 3, 4), (n, digits) => {
        expect(linear(n, 10 ** -digits, 0)).toBe(Number(`${n}e-${digits}`) + 0)
      }),
    )
    expect(linear(401, 0.1, -40)).toBe(0.1)
    expect(linear(3, 0.25, 0)).toBe(0.75)
  })

  test('a value on its grid stays, any other goes to the nearest and not to -0', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -1e6, max: 1e6 }),
        fc.constantFrom(0.01, 0.5, 5, 0.25, 1e-6),
        (n, step) => {
          const grid = decimalOf(step)
          if (grid === undefined) throw new Error('a decimal')
          const value = (n * grid.step) / 10 ** grid.digits + 0
          expect(quantise(value, grid)).toBe(value)
          expect(quantise(value + step * 0.4, grid)).toBe(value)
        },
      ),
    )
    expect(Object.is(quantise(-0.001, { step: 1, digits: 2 }), 0)).toBe(true)
  })
})

test('of two calibrations that begin together the higher version holds', () => {
  const versions = [1, 3, 2].map((version) => ({ version, validFrom: 5, values: {} }))
  expect(calibrationAt(versions, 5)?.version).toBe(3)
  expect(calibrationAt(versions, 4)).toBeUndefined()
})

test.for([
  ['Cel', 'Cel'],
  ['%', '/100'],
  ['kW.h', 'kWh'],
  ['V.A', 'VA'],
  ['1', '/'],
  ['mm/m', 'mm/m'],
])('the UCUM unit %s is %s in SenML', ([ucum = '', senml]) => {
  expect(senmlUnit(ucum)).toBe(senml)
})

test('a derived channel is planned as what it is computed from', () => {
  const steps = protocolOf(profile).plan(5, ['twice'], new Set())
  expect(steps.map((step) => (step.kind === 'exchange' ? step.channels : step.kind))).toEqual([['digits_']])
})
