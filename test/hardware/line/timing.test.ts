import { expect, test } from 'vitest'
import type { Format } from '../../../hardware/config.ts'
import { characterBits, timingOf } from '../../../hardware/line/timing.ts'

test.for([
  ['8N1', 10],
  ['8E1', 11],
  ['8N2', 11],
  ['7E1', 10],
  ['7N1', 9],
  ['7O2', 11],
] as [Format, number][])('a character of %s has %i bits', ([format, bits]) => {
  expect(characterBits(format)).toBe(bits)
})

test.for([
  [1200, '8E1', 9.1667, 13.75, 32.0833],
  [9600, '8E1', 1.1458, 1.71875, 4.0104],
  // The silences count characters of 11 bits even where the format has 10 (2.5.1.1).
  [9600, '8N1', 1.0417, 1.71875, 4.0104],
  [19_200, '8E1', 0.5729, 0.8594, 2.0052],
  [38_400, '8E1', 0.2865, 0.75, 1.75],
  [115_200, '8N1', 0.0868, 0.75, 1.75],
] as [number, Format, number, number, number][])(
  '%i baud %s: characters and silences',
  ([baud, format, characterMs, t15Ms, t35Ms]) => {
    const timing = timingOf(baud, format)
    expect(timing.characterMs).toBeCloseTo(characterMs, 3)
    expect(timing.t15Ms).toBeCloseTo(t15Ms, 3)
    expect(timing.t35Ms).toBeCloseTo(t35Ms, 3)
  },
)
