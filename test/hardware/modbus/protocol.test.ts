import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  blocksOf,
  modbusProtocol,
  type ReadChannel,
  rtu,
  type Table,
  type ValueSpec,
} from '../../../hardware/modbus/index.ts'
import type { Step } from '../../../hardware/protocol.ts'

const UINT16: ValueSpec = { type: 'uint16', order: 'ABCD', bits: null, byte: 'low', length: 0 }
const at = (address: number, table: Table = 'holding'): ReadChannel => ({
  id: `${table}${address}`,
  table,
  address,
  value: table === 'coil' || table === 'discrete' ? { ...UINT16, type: 'bool' } : UINT16,
})
const limits = { maxRegs: 10, maxBits: 100, maxHole: 2 }
const shape = (channels: readonly ReadChannel[], splits: readonly string[] = []): string[] =>
  blocksOf(channels, limits, new Set(splits)).map((block) => `${block.table} ${block.address}+${block.count}`)

describe('reads are joined', () => {
  test.for([
    ['side by side', [at(0), at(1), at(2)], [], ['holding 0+3']],
    ['in any order', [at(2), at(0), at(1)], [], ['holding 0+3']],
    ['over a hole within the limit', [at(0), at(3)], [], ['holding 0+4']],
    ['not over a larger one', [at(0), at(4)], [], ['holding 0+1', 'holding 4+1']],
    [
      'not beyond the length limit',
      [at(0), at(3), at(6), at(9), at(10)],
      [],
      ['holding 0+10', 'holding 10+1'],
    ],
    ['not over two tables', [at(0), at(1, 'input')], [], ['holding 0+1', 'input 1+1']],
    ['not at a learnt split', [at(0), at(1), at(2)], ['holding1'], ['holding 0+1', 'holding 1+2']],
    [
      'coils by their own limit',
      [at(0, 'coil'), at(1, 'coil'), at(40, 'coil')],
      [],
      ['coil 0+2', 'coil 40+1'],
    ],
  ] as [string, ReadChannel[], string[], string[]][])('%s', ([, channels, splits, expected]) => {
    expect(shape(channels, splits)).toEqual(expected)
  })

  test('so that every channel is in exactly one block that holds it, within the limits', () => {
    const channels = fc
      .uniqueArray(fc.nat(200), { minLength: 1, maxLength: 60 })
      .map((list) => list.map((a) => at(a)))
    fc.assert(
      fc.property(channels, fc.array(fc.nat(200)), (list, splitAt) => {
        const blocks = blocksOf(list, limits, new Set(splitAt.map((a) => `holding${a}`)))
        expect(blocks.flatMap((block) => block.channels.map(({ id }) => id)).toSorted()).toEqual(
          list.map(({ id }) => id).toSorted(),
        )
        for (const block of blocks) {
          expect(block.count).toBeLessThanOrEqual(limits.maxRegs)
          for (const channel of block.channels) {
            expect(channel.address).toBeGreaterThanOrEqual(block.address)
            expect(channel.address).toBeLessThan(block.address + block.count)
          }
        }
      }),
    )
  })
})

const exchangeIn = (steps: readonly Step[]): Extract<Step, { kind: 'exchange' }> => {
  const found = steps.find((step) => step.kind === 'exchange')
  if (found?.kind !== 'exchange') throw new Error('no exchange')
  return found
}

describe('an answer', () => {
  const protocol = modbusProtocol({
    framing: rtu,
    channels: [at(0), at(2), at(5, 'discrete')],
    limits,
    cycle: [],
  })

  test('gives each channel its own registers', () => {
    const step = exchangeIn(protocol.plan(9, ['holding0', 'holding2'], new Set()))
    expect(Buffer.from(step.tx).toString('hex')).toMatch(/^090300000003/)
    expect(step.rxBytes).toBe(11)
    const frame = rtu.wrap(9, Uint8Array.of(3, 6, 0, 1, 0, 2, 0, 3))
    expect(protocol.decode(step, frame)).toEqual({
      ok: true,
      values: [
        { channel: 'holding0', value: 1, reason: null, payloadBytes: 2 },
        { channel: 'holding2', value: 3, reason: null, payloadBytes: 2 },
      ],
    })
  })

  test('gives a bit its own place', () => {
    const step = exchangeIn(protocol.plan(9, ['discrete5'], new Set()))
    const decoded = protocol.decode(step, rtu.wrap(9, Uint8Array.of(2, 1, 1)))
    expect(decoded).toMatchObject({ ok: true, values: [{ channel: 'discrete5', value: 1 }] })
  })

  test('that refuses tells its code', () => {
    const step = exchangeIn(protocol.plan(9, ['holding0'], new Set()))
    const refusal = protocol.decode(step, rtu.wrap(9, Uint8Array.of(0x83, 2)))
    expect(refusal).toEqual({ ok: false, reason: 'exception-2', exception: 2 })
  })

  test('that is no answer to the question is never decoded', () => {
    const step = exchangeIn(protocol.plan(9, ['holding0'], new Set()))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (frame) => {
        expect(protocol.decode(step, frame).ok).toBe(false)
      }),
    )
    expect(protocol.decode(step, rtu.wrap(8, Uint8Array.of(3, 2, 0, 1))).ok).toBe(false)
  })

  test('is not asked for where nothing is due', () => {
    expect(protocol.plan(9, ['unknown'], new Set())).toEqual([])
  })
})
