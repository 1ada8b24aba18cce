import {
  isBitTable,
  READ_BITS_MAX,
  READ_REGISTERS_MAX,
  type Table,
  WRITE_BITS_MAX,
  WRITE_REGISTERS_MAX,
} from '../modbus/index.ts'
import type { Memory } from './memory.ts'

/** Exception codes of the standard that a simulated device uses (Modbus Application Protocol V1.1b3, 7). */
export const ILLEGAL_FUNCTION = 1
export const ILLEGAL_ADDRESS = 2
export const ILLEGAL_VALUE = 3
export const BUSY = 6

const READ_TABLES: ReadonlyMap<number, Table> = new Map([
  [1, 'coil'],
  [2, 'discrete'],
  [3, 'holding'],
  [4, 'input'],
])
const ON = 0xff00

export interface SlaveOptions {
  readonly memory: Memory
  /** A hole between channels: `zero` reads as 0, `refuse` answers with exception 2 as strict devices do. */
  readonly holes: 'zero' | 'refuse'
  /** Called before a read is answered, to bring what lies there up to date. */
  beforeRead(table: Table, address: number, count: number): void
}

/** The answer with an exception to a function. */
export const exceptionPdu = (fn: number, code: number): Uint8Array => Uint8Array.of(fn | 0x80, code)

const wordAt = (pdu: Uint8Array, at: number): number => ((pdu[at] ?? 0) << 8) | (pdu[at + 1] ?? 0)

/** Answers one request as a device does: reads and writes its memory, refuses what the standard says it must. */
export function answerRequest(options: SlaveOptions, pdu: Uint8Array): Uint8Array {
  const fn = pdu[0] ?? 0
  const table = READ_TABLES.get(fn)
  if (table !== undefined) return answerRead(options, table, pdu)
  if (fn === 5 || fn === 6) return answerSingleWrite(options, pdu)
  if (fn === 15 || fn === 16) return answerMultipleWrite(options, pdu)
  return exceptionPdu(fn, ILLEGAL_FUNCTION)
}

const readable = (
  { memory, holes }: SlaveOptions,
  table: Table,
  place: { address: number; count: number },
): boolean =>
  holes === 'zero'
    ? memory.spans(table, place.address, place.count)
    : memory.has(table, place.address, place.count)

function answerRead(options: SlaveOptions, table: Table, pdu: Uint8Array): Uint8Array {
  const fn = pdu[0] ?? 0
  const address = wordAt(pdu, 1)
  const count = wordAt(pdu, 3)
  const most = isBitTable(table) ? READ_BITS_MAX : READ_REGISTERS_MAX
  if (pdu.length !== 5 || count < 1 || count > most) return exceptionPdu(fn, ILLEGAL_VALUE)
  if (!readable(options, table, { address, count })) return exceptionPdu(fn, ILLEGAL_ADDRESS)
  options.beforeRead(table, address, count)
  const data = options.memory.bytes(table, address, count)
  return Uint8Array.of(fn, data.length, ...data)
}

function answerSingleWrite({ memory }: SlaveOptions, pdu: Uint8Array): Uint8Array {
  const fn = pdu[0] ?? 0
  const table = fn === 5 ? 'coil' : 'holding'
  const address = wordAt(pdu, 1)
  const value = wordAt(pdu, 3)
  if (pdu.length !== 5 || (fn === 5 && value !== 0 && value !== ON)) return exceptionPdu(fn, ILLEGAL_VALUE)
  if (!memory.has(table, address, 1)) return exceptionPdu(fn, ILLEGAL_ADDRESS)
  memory.set(table, address, fn === 5 ? Math.sign(value) : value)
  return pdu.slice()
}

const DATA_AT = 6
const bitAt = (pdu: Uint8Array, index: number): number =>
  ((pdu[DATA_AT + (index >> 3)] ?? 0) >> (index & 7)) & 1
const wordOf = (pdu: Uint8Array, index: number): number => wordAt(pdu, DATA_AT + index * 2)

function answerMultipleWrite({ memory }: SlaveOptions, pdu: Uint8Array): Uint8Array {
  const fn = pdu[0] ?? 0
  const bits = fn === 15
  const table = bits ? 'coil' : 'holding'
  const address = wordAt(pdu, 1)
  const count = wordAt(pdu, 3)
  const bytes = bits ? Math.ceil(count / 8) : count * 2
  const whole = pdu[5] === bytes && pdu.length === DATA_AT + bytes
  if (!whole || count < 1 || count > (bits ? WRITE_BITS_MAX : WRITE_REGISTERS_MAX)) {
    return exceptionPdu(fn, ILLEGAL_VALUE)
  }
  if (!memory.has(table, address, count)) return exceptionPdu(fn, ILLEGAL_ADDRESS)
  const valueAt = bits ? bitAt : wordOf
  for (let at = 0; at < count; at += 1) memory.set(table, address + at, valueAt(pdu, at))
  return pdu.slice(0, 5)
}
