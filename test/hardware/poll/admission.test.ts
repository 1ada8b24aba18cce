import { describe, expect, test } from 'vitest'
import { type Demand, admit, stepsMs } from '../../../hardware/poll/admission.ts'
import type { Step } from '../../../hardware/protocol.ts'

const read = (registers: number): Step => ({
  kind: 'exchange',
  tx: new Uint8Array(8),
  match: () => ({ need: 1 }),
  rxBytes: 5 + 2 * registers,
  channels: ['a'],
  token: null,
})

describe('the line time of a poll', () => {
  // hardware.md, section 7: polls a second with characters of 11 bits.
  test.for([
    { baud: 9600, registers: 1, thinkMs: 0, perSecond: 39.7 },
    { baud: 9600, registers: 10, thinkMs: 5, perSecond: 19.7 },
    { baud: 9600, registers: 125, thinkMs: 20, perSecond: 3.0 },
    { baud: 19_200, registers: 60, thinkMs: 0, perSecond: 12.5 },
    { baud: 38_400, registers: 2, thinkMs: 5, perSecond: 75 },
    { baud: 115_200, registers: 1, thinkMs: 0, perSecond: 203 },
    { baud: 115_200, registers: 125, thinkMs: 5, perSecond: 29.8 },
  ])('$registers registers at $baud baud with $thinkMs ms of thinking: $perSecond a second', (c) => {
    const ms = stepsMs([read(c.registers)], { baud: c.baud, format: '8E1' }, c.thinkMs)
    expect(Math.abs(1000 / ms / c.perSecond - 1)).toBeLessThan(0.02)
  })

  test('counts a trigger, its wait, and shorter characters without parity', () => {
    const steps: Step[] = [{ kind: 'broadcast', tx: new Uint8Array(8) }, { kind: 'wait', ms: 300 }, read(2)]
    const ms = stepsMs(steps, { baud: 9600, format: '8N1' }, 5)
    expect(ms).toBeCloseTo((8 * 10 * 1000) / 9600 + 4.01 + 300 + (17 * 10 * 1000) / 9600 + 2 * 4.01 + 5, 0)
  })
})

describe('admission', () => {
  const demand = (device: string, pollMs: number): Demand => ({ device, everyMs: 1000, pollMs })

  test('takes what fits into four fifths and refuses the rest with the numbers', () => {
    const result = admit('port1', [demand('a', 500), demand('b', 400), demand('c', 300)])
    expect(result.admitted.map(({ device }) => device)).toEqual(['a', 'c'])
    expect(result.load).toBeCloseTo(0.8)
    expect(result.refused[0]?.error).toMatchObject({
      code: 'LINE_OVERLOADED',
      message:
        'device b needs 400.0 ms of line port1 every 1000 ms (40.0 %); ' +
        'the devices before it use 50.0 %, together 90.0 % of at most 80.0 %',
    })
  })
})
