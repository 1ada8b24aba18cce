import type { Match } from '../protocol.ts'

export type LineState = 'closed' | 'open' | 'lost' | 'backoff'

export interface Exchange {
  readonly tx: Uint8Array
  readonly match: (rx: Uint8Array) => Match
  /** From the last byte sent to the last byte of the answer. */
  readonly timeoutMs: number
  /** Silence before sending, at least t3.5; the line adds nothing of its own where 0 is not allowed by its baud. */
  readonly gapMs: number
  /** After a timeout the line stays quiet this long, so that a late answer is not taken for the next one. */
  readonly lateMs: number
}

export type Reply =
  | {
      readonly ok: true
      /** The matched frame alone. */
      readonly frame: Uint8Array
      /** Wall clock when the request had been sent, whole epoch ms. */
      readonly sentAt: number
      /** From then to the frame's last byte, ms, monotonic. */
      readonly tookMs: number
      /** Bytes that came and belonged to no frame. */
      readonly strayBytes: number
    }
  | {
      readonly ok: false
      readonly reason: 'timeout' | 'crc' | 'line-lost'
      readonly sentAt: number
      readonly strayBytes: number
    }

export interface LineStats {
  readonly exchanges: number
  readonly timeouts: number
  readonly crcErrors: number
  readonly strayBytes: number
  /** Answers that came after their time-out, while the line was kept quiet for them. */
  readonly lateReplies: number
  /** Requests that were not sent because somebody on the line would not be silent. */
  readonly gapViolations: number
  readonly reopens: number
  /** Share of the last minute in which the line was busy, 0 to 1. */
  readonly utilisation: number
}

/**
 * One physical line: one queue, one turn at a time, silence kept, unplug seen, reopened by itself.
 * The promises never reject for what happens on the line; they answer with a reason.
 */
export interface Line {
  readonly id: string
  readonly state: LineState
  /** Opens and keeps open until the signal; resolves after the first attempt, whatever its outcome. */
  start(signal: AbortSignal): Promise<void>
  exchange(exchange: Exchange): Promise<Reply>
  /** Sends without an answer, then keeps `gapMs` of silence. Answers with the wall clock when it had been sent. */
  send(tx: Uint8Array, gapMs: number): Promise<{ ok: boolean; sentAt: number }>
  /** Raw bytes as they come, for `line sniff`; returns the way to stop. */
  sniff(onBytes: (bytes: Uint8Array, at: number) => void): () => void
  onState(listener: (state: LineState, cause: string | null) => void): () => void
  stats(): LineStats
  stop(): Promise<void>
}
