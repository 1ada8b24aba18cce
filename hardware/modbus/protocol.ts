import type { DecodeResult, Protocol, RawValue, Step } from '../protocol.ts'
import { type Block, type BlockLimits, blocksOf, type ReadChannel } from './block.ts'
import type { Framing } from './framing.ts'
import {
  type Expected,
  encodeRequest,
  expectedAnswer,
  isBitTable,
  parseAnswer,
  type Request,
  readRequest,
} from './pdu.ts'
import { decodeValue, registersOf } from './value.ts'

/** The address that every device hears and none answers (Modbus over Serial Line V1.02, 2.2). */
export const BROADCAST_ADDRESS = 0

export type CycleStep =
  | { readonly kind: 'broadcast' | 'write'; readonly request: Request }
  | { readonly kind: 'wait'; readonly msFor: (address: number) => number }

export interface ModbusSetup {
  readonly framing: Framing
  readonly channels: readonly ReadChannel[]
  readonly limits: BlockLimits
  /** What comes before the reads, e.g. a trigger to all devices and the time their measurement takes. */
  readonly cycle: readonly CycleStep[]
}

type ExchangeStep = Extract<Step, { kind: 'exchange' }>

/** What an exchange step carries for `decode`; a write has no block. */
class Token {
  readonly framing: Framing
  readonly expected: Expected
  readonly block: Block | null
  constructor(framing: Framing, expected: Expected, block: Block | null) {
    this.framing = framing
    this.expected = expected
    this.block = block
  }
}

function exchangeOf(
  framing: Framing,
  unit: number,
  what: { request: Request; block: Block | null },
): ExchangeStep {
  const expected = expectedAnswer(unit, what.request)
  return {
    kind: 'exchange',
    tx: framing.wrap(unit, encodeRequest(what.request)),
    match: framing.match(expected),
    rxBytes: framing.frameBytes(expected.pduBytes),
    channels: what.block?.channels.map((channel) => channel.id) ?? [],
    token: new Token(framing, expected, what.block),
  }
}

function cycleSteps(setup: ModbusSetup, address: number): Step[] {
  return setup.cycle.map((step): Step => {
    switch (step.kind) {
      case 'wait':
        return { kind: 'wait', ms: step.msFor(address) }
      case 'broadcast':
        return { kind: 'broadcast', tx: setup.framing.wrap(BROADCAST_ADDRESS, encodeRequest(step.request)) }
      case 'write':
        return exchangeOf(setup.framing, address, { request: step.request, block: null })
    }
  })
}

function rawValue(block: Block, channel: ReadChannel, data: Uint8Array): RawValue {
  const offset = channel.address - block.address
  if (isBitTable(block.table)) {
    const bit = ((data[offset >> 3] ?? 0) >> (offset & 7)) & 1
    return { channel: channel.id, value: bit, reason: null, payloadBytes: 1 }
  }
  const bytes = registersOf(channel.value) * 2
  const value = decodeValue(channel.value, data.subarray(offset * 2, offset * 2 + bytes))
  const usable = value !== null && (typeof value !== 'number' || Number.isFinite(value))
  return {
    channel: channel.id,
    value: usable ? value : null,
    reason: usable ? null : 'not-a-number',
    payloadBytes: bytes,
  }
}

/** Modbus as a pure protocol: bytes to send, bytes that came, values out. */
export function modbusProtocol(setup: ModbusSetup): Protocol {
  return {
    plan(address, channels, splits) {
      const wanted = new Set(channels)
      const due = setup.channels.filter((channel) => wanted.has(channel.id))
      if (due.length === 0) return []
      const reads = blocksOf(due, setup.limits, splits).map((block) => {
        const request = readRequest(block.table, block.address, block.count)
        return exchangeOf(setup.framing, address, { request, block })
      })
      return [...cycleSteps(setup, address), ...reads]
    },

    decode(step, frame): DecodeResult {
      // A bug of the caller, not of the line: a step of another protocol has no token of ours.
      if (!(step.token instanceof Token)) throw new TypeError('this step was not planned by this protocol')
      const { framing, expected, block } = step.token
      const content = framing.unwrap(frame)
      const answer = content?.unit === expected.unit ? parseAnswer(expected, content.pdu) : undefined
      if (answer === undefined || answer.kind === 'foreign') return { ok: false, reason: 'crc', exception: 0 }
      if (answer.kind === 'exception') {
        return { ok: false, reason: `exception-${answer.code}`, exception: answer.code }
      }
      const values = block?.channels.map((channel) => rawValue(block, channel, answer.data)) ?? []
      return { ok: true, values }
    },
  }
}
