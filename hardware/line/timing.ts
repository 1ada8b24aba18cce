import type { Format } from '../config.ts'

/** Above this the standard fixes both silences, because of what interrupts cost (MODBUS over Serial Line V1.02, 2.5.1.1). */
const FIXED_ABOVE_BAUD = 19_200
const FIXED_T15_MS = 0.75
const FIXED_T35_MS = 1.75
/** The standard counts its silences in characters of 11 bits, whatever the format; a device that does so must hear our gap too. */
const STANDARD_BITS = 11

/** Durations of a line, in milliseconds. */
export interface LineTiming {
  /** One character, start and stop bits included. */
  readonly characterMs: number
  /** The longest silence inside a frame. Of no use to a receiver here: UART buffers and USB hide it. */
  readonly t15Ms: number
  /** The shortest silence between two frames. */
  readonly t35Ms: number
}

/** Bits of one character: start, data, parity, stop. */
export function characterBits(format: Format): number {
  const parity = format[1] === 'N' ? 0 : 1
  return 1 + Number(format[0]) + parity + Number(format[2])
}

/** Character time and silences of a line at `baud` bits a second. */
export function timingOf(baud: number, format: Format): LineTiming {
  const standardMs = (STANDARD_BITS * 1000) / baud
  const fixed = baud > FIXED_ABOVE_BAUD
  return {
    characterMs: (characterBits(format) * 1000) / baud,
    t15Ms: fixed ? FIXED_T15_MS : 1.5 * standardMs,
    t35Ms: fixed ? FIXED_T35_MS : 3.5 * standardMs,
  }
}
