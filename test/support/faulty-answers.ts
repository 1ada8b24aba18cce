import { heldValue, isWhole, readAnswer, withCrc } from './rtu.ts'

/** What a bad line and bad devices do to the answer of one request, in parts of a hundred; the rest is answered well. */
export const FAULTS = {
  'garbage-before': 6,
  'garbage-after': 6,
  split: 7,
  'header-like-noise': 6,
  'trailing-bytes': 3,
  busy: 3,
  late: 3,
  'bad-crc': 2,
  dead: 1,
  'wrong-unit': 1,
  'over-long': 1,
} as const
export type Fault = keyof typeof FAULTS

/** Bytes to send so many milliseconds after the request; empty = nothing. */
export type Answer = readonly { readonly bytes: Uint8Array; readonly afterMs: number }[]

export interface Timing {
  readonly timeoutMs: number
  /** A late answer comes after the time-out, but not later than this. */
  readonly latestMs: number
}

export function pickFault(random: () => number): Fault | 'none' {
  let left = random() * 100
  for (const [fault, share] of Object.entries(FAULTS)) {
    left -= share
    if (left < 0) return fault as Fault
  }
  return 'none'
}

interface Context {
  readonly unit: number
  readonly values: readonly number[]
  /** The right answer. */
  readonly right: Uint8Array
  readonly random: () => number
  readonly timing: Timing
}

const MAKE: Readonly<Record<Fault | 'none', (context: Context) => Answer>> = {
  none: ({ right }) => after(0, right),
  'garbage-before': ({ right, random }) =>
    after(
      0,
      innocent(() => noise(12, random), right),
      right,
    ),
  'garbage-after': ({ right, random }) => after(0, right, noise(12, random)),
  split: ({ right, random }) => {
    const cut = 1 + Math.floor(random() * (right.length - 1))
    return [...after(0, right.subarray(0, cut)), ...after(1 + random() * 9, right.subarray(cut))]
  },
  'header-like-noise': ({ unit, values, right, random }) => {
    const header = Uint8Array.of(unit, 3, values.length * 2)
    return after(
      0,
      innocent(() => joined([header, noise(3, random)]), right),
      right,
    )
  },
  'trailing-bytes': ({ unit, values, right }) => after(0, right, Uint8Array.of(unit, 3, values.length * 2)),
  busy: ({ unit }) => after(0, withCrc(unit, 0x83, 6)),
  late: ({ right, random, timing: { timeoutMs, latestMs } }) =>
    after(timeoutMs + 1 + random() * (latestMs - timeoutMs - 1), right),
  'bad-crc': ({ right, random }) => after(0, damaged(right, random)),
  dead: () => [],
  'wrong-unit': ({ unit, values }) => after(0, readAnswer(unit + 50, values)),
  'over-long': ({ unit, values }) => after(0, readAnswer(unit, [...values, ...values, 1])),
}

/** The answer to a read request (function 3, whole) under this fault. */
export function answerTo(
  request: Uint8Array,
  fault: Fault | 'none',
  { random, timing }: Pick<Context, 'random' | 'timing'>,
): Answer {
  const [unit = 0, , high = 0, low = 0, , count = 0] = request
  const values = Array.from({ length: count }, (_, index) => heldValue(unit, high * 256 + low + index))
  return MAKE[fault]({ unit, values, right: readAnswer(unit, values), random, timing })
}

const after = (afterMs: number, ...parts: Uint8Array[]): Answer => [{ bytes: joined(parts), afterMs }]

const noise = (most: number, random: () => number): Uint8Array =>
  Uint8Array.from({ length: 1 + Math.floor(random() * most) }, () => Math.floor(random() * 256))

/** One burst of at most 16 bits is turned over: a CRC-16 sees each of them, so an accepted one is the reader's fault. */
function damaged(frame: Uint8Array, random: () => number): Uint8Array {
  const at = Math.floor(random() * (frame.length - 1))
  const bad = frame.slice()
  bad[at] = (bad[at] ?? 0) ^ (1 + Math.floor(random() * 255))
  bad[at + 1] = (bad[at + 1] ?? 0) ^ Math.floor(random() * 256)
  return bad
}

/** Noise before an answer in which no other whole frame begins: one in 65,536 would be whole by chance, and nobody's fault. */
function innocent(make: () => Uint8Array, right: Uint8Array): Uint8Array {
  for (;;) {
    const noise = make()
    const both = joined([noise, right])
    const starts = [...noise.keys()]
    const lengths = Array.from({ length: both.length - 3 }, (_, index) => index + 4)
    const hasOther = starts.some((start) => lengths.some((length) => isWholeAt(both, start, length)))
    if (!hasOther) return noise
  }
}

const isWholeAt = (bytes: Uint8Array, start: number, length: number): boolean =>
  start + length <= bytes.length && isWhole(bytes.subarray(start, start + length))

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}
