import type { Reason, Value } from './reading.ts'

/** What a framer says about the bytes received so far. `frame` is half open: bytes start to end, end excluded. */
export type Match =
  | { readonly need: number }
  | { readonly frame: readonly [start: number, end: number] }
  | { readonly reject: 'crc' | 'noise' }

/** One thing to do on the line, in order. */
export type Step =
  | {
      readonly kind: 'exchange'
      readonly tx: Uint8Array
      /** Looks for an answer anywhere in what came; gives up one byte at a time, never a claimed length. */
      readonly match: (rx: Uint8Array) => Match
      /** Bytes of the whole expected answer, for the line's time budget. */
      readonly rxBytes: number
      /** Names of the channels that this step reads; empty for a write. */
      readonly channels: readonly string[]
      /** Opaque to the line: what `decode` needs again. */
      readonly token: unknown
    }
  | { readonly kind: 'broadcast'; readonly tx: Uint8Array }
  | { readonly kind: 'wait'; readonly ms: number }

/** A channel's value as the device gave it, before calibration. */
export interface RawValue {
  readonly channel: string
  readonly value: Value
  /** Set where the device answered, but not with a usable value. */
  readonly reason: Reason | null
  /** Bytes of the answer that carried it. */
  readonly payloadBytes: number
}

export type DecodeResult =
  | { readonly ok: true; readonly values: readonly RawValue[] }
  /** The device refused: an exception answer. `busy` and `illegal address` change what the poller does next. */
  | { readonly ok: false; readonly reason: Reason; readonly exception: number }

/** A protocol without input or output: plans the bytes to send and reads the bytes that came. Pure. */
export interface Protocol {
  /**
   * Steps to read these channels of one device, coalesced within the profile's limits.
   * `splits` names channels that must start a block of their own: learnt when a device refused a joined one.
   */
  plan(address: number, channels: readonly string[], splits: ReadonlySet<string>): Step[]
  /** Reads the matched frame of an exchange step. */
  decode(step: Extract<Step, { kind: 'exchange' }>, frame: Uint8Array): DecodeResult
}
