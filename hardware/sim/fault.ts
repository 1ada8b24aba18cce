import { z } from 'zod'
import type { Framing } from '../modbus/index.ts'
import { BUSY, exceptionPdu } from './slave.ts'

const MS_MAX = 600_000
const BYTES_MAX = 256
/** Unit, function and length of an RTU answer. */
const HEADER_BYTES = 3
const Probability = z.number().min(0).max(1).default(1)
const Device = z.string().optional()
const onAnswer = { device: Device, probability: Probability }
const Ms = (usual: number): z.ZodDefault<z.ZodNumber> => z.number().min(0).max(MS_MAX).default(usual)
const Garbage = z.int().min(1).max(BYTES_MAX).default(3)

/** What can be wrong with the answers of a device (of all, where none is named). */
export const AnswerFault = z.discriminatedUnion('fault', [
  z.strictObject({ fault: z.literal('dead'), ...onAnswer }),
  /** Answers after `ms` more than usual, in time. */
  z.strictObject({ fault: z.literal('slow'), ms: Ms(100), ...onAnswer }),
  /** Answers when nobody waits any more. */
  z.strictObject({ fault: z.literal('late'), ms: Ms(700), ...onAnswer }),
  z.strictObject({ fault: z.literal('garbage-before'), bytes: Garbage, ...onAnswer }),
  z.strictObject({ fault: z.literal('garbage-after'), bytes: Garbage, ...onAnswer }),
  /** The beginning of an answer that never goes on, right before the true one. */
  z.strictObject({ fault: z.literal('header'), ...onAnswer }),
  /** A pause in the middle of the answer. */
  z.strictObject({ fault: z.literal('split'), ms: Ms(20), ...onAnswer }),
  z.strictObject({ fault: z.literal('truncated'), ...onAnswer }),
  z.strictObject({ fault: z.literal('bad-crc'), ...onAnswer }),
  z.strictObject({ fault: z.literal('exception'), code: z.int().min(1).max(11), ...onAnswer }),
  z.strictObject({ fault: z.literal('busy'), ...onAnswer }),
  z.strictObject({ fault: z.literal('wrong-unit'), ...onAnswer }),
  /** More registers than were asked for, with a right checksum. */
  z.strictObject({ fault: z.literal('too-long'), ...onAnswer }),
])
export type AnswerFault = z.infer<typeof AnswerFault>

/** What can be wrong with the line itself. */
export const LineFault = z.discriminatedUnion('fault', [
  z.strictObject({ fault: z.literal('unplug') }),
  z.strictObject({ fault: z.literal('echo') }),
  z.strictObject({
    fault: z.literal('noise'),
    burstsPerSecond: z.number().min(0).max(1000).default(1),
    burstBytesMax: z.int().min(1).max(BYTES_MAX).default(4),
    byteErrorRate: z.number().min(0).max(1).default(0),
  }),
])
export type LineFault = z.infer<typeof LineFault>

export interface Answer {
  readonly framing: Framing
  readonly unit: number
  readonly pdu: Uint8Array
}

/** Bytes for the wire, each piece so long after the one before it has ended. */
export interface Piece {
  readonly bytes: Uint8Array
  readonly pauseMs: number
}

/** What a device really sends; `clean` says that a master does take the true value from it. */
export interface Sending {
  readonly pieces: readonly Piece[]
  readonly clean: boolean
  /** The answer carries a value at all. */
  readonly answered: boolean
}

const whole = ({ framing, unit, pdu }: Answer): Uint8Array => framing.wrap(unit, pdu)
const sent = (...pieces: readonly (Uint8Array | Piece)[]): Piece[] =>
  pieces.map((piece) => ('pauseMs' in piece ? piece : { bytes: piece, pauseMs: 0 }))
const useless = (...pieces: readonly (Uint8Array | Piece)[]): Sending => ({
  pieces: sent(...pieces),
  clean: false,
  answered: true,
})
const fine = (...pieces: readonly (Uint8Array | Piece)[]): Sending => ({
  pieces: sent(...pieces),
  clean: true,
  answered: true,
})
const refused = (bytes: Uint8Array): Sending => ({ pieces: sent(bytes), clean: false, answered: false })

/** The answer without a fault. */
export const plainSending = (answer: Answer): Sending => fine(whole(answer))

const garbage = (count: number, random: () => number): Uint8Array =>
  Uint8Array.from({ length: count }, () => Math.floor(random() * 256))

/** One bit turned over, anywhere in the frame. */
function damaged(frame: Uint8Array, random: () => number): Uint8Array {
  const copy = frame.slice()
  const at = Math.floor(random() * copy.length)
  copy[at] = (copy[at] ?? 0) ^ (1 << Math.floor(random() * 8))
  return copy
}

function tooLong({ framing, unit, pdu }: Answer): Uint8Array {
  const longer = Uint8Array.of(...pdu, 0, 1)
  if ((pdu[0] ?? 0) <= 4) longer[1] = (pdu[1] ?? 0) + 2
  return framing.wrap(unit, longer)
}

type Kind = AnswerFault['fault']
type FaultOf<K extends Kind> = Extract<AnswerFault, { fault: K }>
type Effect<K extends Kind> = (answer: Answer, fault: FaultOf<K>, random: () => number) => Sending

const exception = (answer: Answer, code: number): Sending =>
  refused(whole({ ...answer, pdu: exceptionPdu(answer.pdu[0] ?? 0, code) }))
const firstHalf = (frame: Uint8Array): Uint8Array => frame.subarray(0, frame.length >> 1)
const secondHalf = (frame: Uint8Array): Uint8Array => frame.subarray(frame.length >> 1)

const EFFECTS: { readonly [K in Kind]: Effect<K> } = {
  dead: () => ({ pieces: [], clean: false, answered: false }),
  slow: (answer, { ms }) => fine({ bytes: whole(answer), pauseMs: ms }),
  late: (answer, { ms }) => useless({ bytes: whole(answer), pauseMs: ms }),
  'garbage-before': (answer, { bytes }, random) => fine(garbage(bytes, random), whole(answer)),
  'garbage-after': (answer, { bytes }, random) => fine(whole(answer), garbage(bytes, random)),
  header: (answer) => fine(whole(answer).subarray(0, HEADER_BYTES), whole(answer)),
  split: (answer, { ms }) =>
    fine(firstHalf(whole(answer)), { bytes: secondHalf(whole(answer)), pauseMs: ms }),
  truncated: (answer) => useless(firstHalf(whole(answer))),
  'bad-crc': (answer, _, random) => useless(damaged(whole(answer), random)),
  exception: (answer, { code }) => exception(answer, code),
  busy: (answer) => exception(answer, BUSY),
  'wrong-unit': (answer) => useless(whole({ ...answer, unit: (answer.unit % 247) + 1 })),
  'too-long': (answer) => useless(tooLong(answer)),
}

/** Puts a fault on an answer. */
export function withFault(answer: Answer, fault: AnswerFault, random: () => number): Sending {
  // The table's type pairs each effect with its own fault; indexing by a union loses that pairing.
  const effect = EFFECTS[fault.fault] as Effect<Kind>
  return effect(answer, fault, random)
}
