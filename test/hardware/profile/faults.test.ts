import { describe, expect, test } from 'vitest'
import { HardwareError } from '../../../hardware/errors.ts'
import { loadProfile } from '../../../hardware/profile/index.ts'

const LINES = `profile: acme-t1/1
protocol: modbus-rtu
line: { baud: 9600, format: 8N1 }
channels:
  - { id: t, read: { holding: 1 }, type: int16, scale: 0.1, unit: Cel }
  - { id: f, from: "t * 1.8 + 32", unit: "[degF]" }
examples:
  - { request: "01 03 0001 0001 crc", reply: "01 03 02 00D7 crc", values: { t: 21.5, f: 70.7 } }
`

function refusal(source: string): { code: string; lines: string[] } {
  try {
    loadProfile(source)
  } catch (cause) {
    if (cause instanceof HardwareError)
      return { code: cause.code, lines: cause.message.trim().split('\n').slice(1) }
    throw cause
  }
  return { code: 'loaded', lines: [] }
}

test('a plain number may be its own unit', () => {
  expect(loadProfile(LINES.replace('unit: Cel', 'unit: 1')).channels[0]?.unit).toBe('1')
})

test('the profile that the cases below spoil is a good one', () => {
  expect(refusal(LINES)).toEqual({ code: 'loaded', lines: [] })
})

describe('a profile is refused', () => {
  const cases: [string, [from: string, to: string], place: RegExp][] = [
    ['without examples', ['examples:', 'exempla:'], /line 1: examples: /],
    [
      'with a field that nobody knows',
      ['scale: 0.1', 'scala: 0.1'],
      /line 5: channels\.0\.scala: there is no such field/,
    ],
    ['with another protocol', ['modbus-rtu', 'profibus'], /line 2: protocol: /],
    ['with an unknown type', ['int16', 'int17'], /line 5: channels\.0\.type: /],
    [
      'with two tables',
      ['{ holding: 1 }', '{ holding: 1, input: 1 }'],
      /line 5: channels\.0\.read: name one of/,
    ],
    [
      'with a float in a coil',
      ['holding: 1 }, type: int16', 'coil: 1 }, type: float32'],
      /line 5: .*a coil cannot be a float32/,
    ],
    [
      'with bits that the type has not',
      ['type: int16', 'type: uint16, bits: [3, 16]'],
      /bits: a uint16 has bits 0 to 15/,
    ],
    [
      'with bits in a signed type',
      ['type: int16', 'type: int16, bits: 3'],
      /bits: a int16 has no bit fields/,
    ],
    ['with a string without length', ['type: int16', 'type: string'], /length: a string needs/],
    [
      'beyond the last address',
      ['holding: 1 }, type: int16', 'holding: 65535 }, type: int32'],
      /beyond address 65535/,
    ],
    [
      'with neither read nor from',
      ['from: "t * 1.8 + 32", ', ''],
      /line 6: channels\.1: a channel has either/,
    ],
    [
      'with both',
      ['from: "t', 'read: { holding: 2 }, from: "t'],
      /line 6: channels\.1: a channel has either/,
    ],
    ['with a name used twice', ['id: f', 'id: t'], /line 6: channels\.1\.id: the name t is taken/],
    [
      'with an expression of unknown names',
      ['"t * 1.8', '"u * 1.8'],
      /line 6: channels\.1\.from: there is no channel u/,
    ],
    [
      'with an expression that is none',
      ['"t * 1.8', '"t ** 1.8'],
      /line 6: channels\.1\.from: .*character 4/,
    ],
    ['with a circle', ['"t * 1.8', '"f * 1.8'], /line 6: channels\.1\.from: f needs itself/],
    [
      'with an example of an unknown channel',
      ['f: 70.7', 'g: 70.7'],
      /line 8: examples\.0\.values\.g: there is no such channel/,
    ],
    [
      'with a resolution that is no decimal',
      ['scale: 0.1', 'resolution: 0.0000000000000001'],
      /line 5: .*resolution: a decimal/,
    ],
    [
      'with a wait below nothing',
      ['channels:', 'cycle: [{ wait: "0ms - 1ms" }]\nchannels:'],
      /line 4: cycle\.0\.wait: a wait is/,
    ],
    [
      'with a wait for a channel',
      ['channels:', 'cycle: [{ wait: "5ms * t" }]\nchannels:'],
      /line 4: cycle\.0\.wait: a wait knows/,
    ],
    ['with a key twice', ['protocol:', 'profile: a/1\nprotocol:'], /line 2: Map keys must be unique/],
    ['that is no YAML', ['channels:', 'channels: ]['], /line 4: /],
  ]
  test.for(cases)('%s, with the line', ([, [from, to], place]) => {
    expect(LINES).toContain(from)
    const { code, lines } = refusal(LINES.replace(from, to))
    expect(code).toBe('PROFILE_INVALID')
    expect(lines.join('\n')).toMatch(place)
  })

  test('with all its faults at once, in order', () => {
    const { lines } = refusal(
      LINES.replace('int16', 'int17').replace('8N1', '9N1').replace('modbus-rtu', 'x'),
    )
    expect(lines.map((line) => /line (\d)/.exec(line)?.[1])).toEqual(['2', '3', '5'])
  })

  const examples: [string, [from: string, to: string], place: RegExp][] = [
    ['another value', ['t: 21.5', 't: 21.6'], /line 8: examples\.0\.values\.t: expected 21\.6, got 21\.5/],
    ['another derived value', ['f: 70.7', 'f: 70.8'], /values\.f: expected 70\.8, got 70\.7/],
    ['a bad reading', ['t: 21.5', 't: null'], /values\.t: expected a bad reading, got 21\.5/],
    [
      'a request that nobody sends',
      ['0001 0001 crc', '0002 0001 crc'],
      /no poll sends 01 03 00 02 00 01 .* send 01 03 00 01 00 01/,
    ],
    [
      'a reply of another length',
      ['01 03 02 00D7', '01 03 04 00D70000'],
      /is no answer to .*: 7 bytes are expected/,
    ],
    ['a reply with a wrong checksum', ['00D7 crc', '00D7 1234'], /the checksum of the reply .* is wrong/],
    ['bytes that are none', ['00D7 crc', '00D crc'], /"00D" is neither bytes in hex nor crc/],
    [
      'an exception instead',
      ['01 03 02 00D7 crc', '01 83 02 crc'],
      /expected 21\.5, got null \(exception-2\)/,
    ],
  ]
  test.for(examples)('for an example that shows %s, with the difference', ([, [from, to], place]) => {
    expect(LINES).toContain(from)
    const { code, lines } = refusal(LINES.replace(from, to))
    expect(code).toBe('PROFILE_EXAMPLE_FAILED')
    expect(lines.join('\n')).toMatch(place)
  })

  test('when it is larger than any profile is', () => {
    expect(refusal(`# ${'x'.repeat(300_000)}\n${LINES}`).code).toBe('PROFILE_INVALID')
  })

  test('when its aliases would fill the memory', () => {
    const bomb = [
      'a: &a [x]',
      'b: &b [*a, *a, *a, *a]',
      'c: &c [*b, *b, *b, *b]',
      'd: &d [*c, *c, *c, *c]',
      'e: &e [*d, *d, *d, *d]',
      'f: [*e, *e]',
    ]
    expect(refusal(bomb.join('\n')).code).toBe('PROFILE_INVALID')
  })
})

test('a text that is broken in a thousand places names the first few', () => {
  const { code, lines } = refusal(`profile: x/1\nchannels: ${'['.repeat(1000)}`)
  expect(code).toBe('PROFILE_INVALID')
  expect(lines).toHaveLength(50)
})
