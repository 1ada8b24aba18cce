import type { Match } from '../../hardware/protocol.ts'

/** A second, small Modbus RTU, written for the tests alone, so that they do not judge the product by itself. */

export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1
  }
  return crc
}

export function withCrc(...body: number[]): Uint8Array {
  const crc = crc16(Uint8Array.from(body))
  return Uint8Array.from([...body, crc & 0xff, crc >> 8])
}

export const isWhole = (frame: Uint8Array): boolean => frame.length > 3 && crc16(frame) === 0

/** Function 3. */
export function readRequest(unit: number, register: number, count: number): Uint8Array {
  return withCrc(unit, 3, register >> 8, register & 0xff, count >> 8, count & 0xff)
}

/** The answer to function 3. */
export function readAnswer(unit: number, values: readonly number[]): Uint8Array {
  return withCrc(
    unit,
    3,
    values.length * 2,
    ...values.flatMap((value) => [(value >> 8) & 0xff, value & 0xff]),
  )
}

export function valuesOf(frame: Uint8Array): number[] {
  return Array.from(
    { length: (frame[2] ?? 0) / 2 },
    (_, at) => (frame[3 + at * 2] ?? 0) * 256 + (frame[4 + at * 2] ?? 0),
  )
}

/** Finds the answer to `readRequest(unit, …, count)`, or an exception of that unit, anywhere. */
export function matchRead(unit: number, count: number): (rx: Uint8Array) => Match {
  return (rx) => {
    let damaged = false
    for (let at = 0; at + 5 <= rx.length; at += 1) {
      if (rx[at] !== unit) continue
      const length =
        rx[at + 1] === 0x83 ? 5 : rx[at + 1] === 3 && rx[at + 2] === count * 2 ? 5 + count * 2 : 0
      if (length === 0 || at + length > rx.length) continue
      if (isWhole(rx.subarray(at, at + length))) return { frame: [at, at + length] }
      damaged = true
    }
    return damaged ? { reject: 'crc' } : { need: 1 }
  }
}

/** What the simulated devices of the line tests hold in a register. */
export const heldValue = (unit: number, register: number): number => (unit * 1000 + register) & 0xffff
