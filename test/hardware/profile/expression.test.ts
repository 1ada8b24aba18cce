import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { evaluate, usesOf } from '../../../hardware/profile/expression/evaluate.ts'
import {
  EXPRESSION_DEPTH_MAX,
  type Node,
  parseDuration,
  parseExpression,
} from '../../../hardware/profile/expression/parse.ts'
import { EXPRESSION_CHARS_MAX, ExpressionFault } from '../../../hardware/profile/expression/tokens.ts'

const CHANNELS: Record<string, number> = {
  R0: 9101,
  R1: 7380,
  T0: 22,
  T1: 15,
  f: 2828.4271247461903,
  r: 3000,
  P0: 3540,
  P1: 3200,
}
const CAL: Record<string, number> = { G: 0.06943, K: 0.1319, A: 1.4051e-3, B: 2.369e-4, C: 1.019e-7 }
const value = (node: Node): number =>
  evaluate(node, {
    channel: (id) => CHANNELS[id] ?? Number.NaN,
    cal: (name) => CAL[name] ?? Number.NaN,
    address: 7,
    neighbour: () => 1013,
  })
const of = (source: string): number => value(parseExpression(source))

describe('an expression', () => {
  test.for([
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['10 - 4 - 3', 3],
    ['100 / 10 / 5', 2],
    ['2 ^ 3 ^ 2', 512],
    ['-2 ^ 2', -4],
    ['2 ^ -1', 0.5],
    ['--3', 3],
    ['4 * -3', -12],
    ['1.5e3 + .5', 1500.5],
    ['abs(-3) + min(4, 2, 9) + max(1)', 6],
    ['ln(exp(2))', 2],
    ['poly(2, 3, 4, 5)', 25],
    ['period(period(1234))', 1234],
    ['address * 10', 70],
    ['sensor("baro-1/main.pressure", 10min) - 1000', 13],
  ] as [string, number][])('%s is %d', ([source, expected]) => {
    expect(of(source)).toBeCloseTo(expected, 12)
  })

  // Makers' worked examples: GEOKON 4500 and 8020-59 appendix D, RST VW2100 appendix E.
  test.for([
    ['linear pressure, 119.5 psi', 'cal.G * (R0 - R1)', 119.5, 1],
    ['temperature correction, -0.92 kPa', 'cal.K * (T1 - T0)', -0.92, 2],
    ['2828 Hz are 8000 digits', 'digits(f)', 8000, 6],
    ['and 354 microseconds', 'period(f)', 353.55, 2],
    ['a thermistor of 3 kOhm is at 24.94 degrees', 'steinhart(r, cal.A, cal.B, cal.C)', 24.94, 2],
    ['the manual of the 3810A: 10802.12 Ohm', 'steinhart(10802.12, cal.A, cal.B, cal.C)', -1.97, 2],
    ['a period gauge', '0.39 * (1e7 / P0^2 - 1e7 / P1^2)', -0.0696, 4],
    ['barometric correction', '-(1013 - sensor("b/main.p", 5min))', 0, 9],
  ] as [string, string, number, number][])('golden: %s', ([, source, expected, digits]) => {
    expect(of(source)).toBeCloseTo(expected, digits)
  })

  test.for([
    ['', 'missing at the end', 0],
    ['1 +', 'missing at the end', 3],
    ['1 2', 'operator is missing', 2],
    ['(1', '")" is missing', 2],
    ['1 ++ 2', 'cannot stand here', 3],
    ['a.b', 'only cal has parts', 0],
    ['a.b.c', 'means nothing', 3],
    ['sin(1)', 'no function sin', 0],
    ['constructor(1)', 'no function constructor', 0],
    ['__proto__', 'means nothing', 0],
    ['abs(1, 2)', 'takes 1 values, not 2', 0],
    ['steinhart(1)', 'takes 4 values, not 1', 0],
    ['300ms', 'a time stands only', 0],
    ['"text"', 'a text stands only', 0],
    ['sensor(a, 10min)', 'write sensor(', 0],
    ['sensor("a/b.c", 10)', 'write sensor(', 0],
    ['process.exit', 'only cal has parts', 0],
    ['1; 2', 'means nothing', 1],
  ] as [string, string, number][])('"%s" is refused: %s, at %d', ([source, sentence, place]) => {
    expect(() => parseExpression(source)).toThrow(
      expect.objectContaining({
        at: place,
        message: expect.stringContaining(sentence) as string,
      }) as ExpressionFault,
    )
  })

  test('has bounds in length and depth', () => {
    expect(() => parseExpression('1+'.repeat(EXPRESSION_CHARS_MAX))).toThrow(/at most 1000 characters/)
    const deep = (levels: number): string => `${'('.repeat(levels)}1${')'.repeat(levels)}`
    expect(of(deep(EXPRESSION_DEPTH_MAX))).toBe(1)
    expect(() => parseExpression(deep(EXPRESSION_DEPTH_MAX + 1))).toThrow(/at most 32 levels/)
    expect(() => parseExpression('-'.repeat(40) + '1')).toThrow(/at most 32 levels/)
    expect(() => parseExpression(`${'2^'.repeat(40)}1`)).toThrow(/at most 32 levels/)
    expect(of(`1${'+1'.repeat(499)}`)).toBe(500)
    expect(of(`0${'+(1)'.repeat(100)}`)).toBe(100)
  })

  test('either parses or says where it does not, whatever it is', () => {
    const words = fc.constantFrom(
      '1',
      'a',
      'cal.x',
      '(',
      ')',
      '+',
      '-',
      '*',
      '/',
      '^',
      ',',
      'abs',
      'sensor',
      '"a/b.c"',
      '5s',
      ' ',
      '.',
      '\u0000',
      'é',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(words, { maxLength: 30 }).map((list) => list.join('')),
        ),
        (source) => {
          try {
            value(parseExpression(source))
          } catch (cause) {
            if (!(cause instanceof ExpressionFault)) throw cause
          }
        },
      ),
    )
  })

  test('does the sums that the numbers do', () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true, min: 0, max: 1e6 })
    fc.assert(
      fc.property(number, number, fc.constantFrom('+', '-', '*', '/'), (a, b, operator) => {
        const plain = { '+': a + b, '-': a - b, '*': a * b, '/': a / b }[operator]
        expect(of(`${a} ${operator} ${b}`)).toBe(plain)
      }),
    )
  })

  test('tells what it needs', () => {
    const uses = usesOf(parseExpression('a + cal.K * abs(b - sensor("baro/main.p", 2h)) + address'))
    expect(uses.channels.map(({ id }) => id)).toEqual(['a', 'b'])
    expect(uses.cal).toEqual(['K'])
    expect(uses.neighbours).toEqual([{ device: 'baro', sensor: 'main', channel: 'p', maxAgeMs: 7_200_000 }])
    expect(uses.address).toBe(true)
  })
})

test.for([
  ['300ms + 50ms*address', 650],
  ['2s', 2000],
  ['1.5min', 90_000],
  ['0', 0],
] as [string, number][])('the time "%s" is %d ms at address 7', ([source, ms]) => {
  expect(value(parseDuration(source))).toBe(ms)
})
