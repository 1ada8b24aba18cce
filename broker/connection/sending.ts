import type { Duplex } from 'node:stream'

/** Bytes that wait for the peers of all connections together. */
export interface Backlog {
  bytes: number
}

/** A frame from this size on is written as it is; smaller ones are joined, which costs a copy and saves a call. */
const LARGE_FRAME_BYTES = 16 * 1024
/** What a piece that waits costs beside its bytes: a buffer, its place in the stream and its callback. */
const PIECE_BYTES = 256

interface SendingParts {
  readonly total: Backlog
  /** The peer has taken more; so many bytes are left. */
  readonly onTaken: (backlog: number) => void
}

/** The sending end of a connection: what is sent in one turn of the event loop goes to the kernel in one call, and is counted until it is taken. */
export class Sending {
  readonly #stream: Duplex
  readonly #total: Backlog
  readonly #onTaken: (backlog: number) => void
  #gathered: Buffer[] = []
  #backlog = 0
  #open = true

  constructor(stream: Duplex, { total, onTaken }: SendingParts) {
    this.#stream = stream
    this.#total = total
    this.#onTaken = onTaken
  }

  /** Sent and not yet taken by the kernel. */
  get backlog(): number {
    return this.#backlog
  }

  /** Sends whole packets with this turn's others. */
  send(frame: Buffer): void {
    if (!this.#open) return
    this.#gathered.push(frame)
    this.#count(frame.length)
    if (this.#gathered.length === 1) process.nextTick(this.flush)
  }

  /** Hands over what waits for the end of this turn. */
  readonly flush = (): void => {
    const frames = this.#gathered
    if (frames.length === 0) return
    this.#gathered = []
    const stream = this.#stream
    const [only] = frames
    const parts = frames.length === 1 && only !== undefined ? [only] : joined(frames)
    this.#count(parts.length * PIECE_BYTES)
    if (parts.length > 1) stream.cork()
    for (const part of parts) {
      stream.write(part, () => {
        this.#taken(part.length)
      })
    }
    if (parts.length > 1) stream.uncork()
  }

  /** Nothing more is sent; what waits for the end of this turn is lost. */
  end(): void {
    this.#open = false
    this.#gathered = []
    this.#count(-this.#backlog)
  }

  #taken(bytes: number): void {
    if (!this.#open) return
    this.#count(-bytes - PIECE_BYTES)
    this.#onTaken(this.#backlog)
  }

  #count(bytes: number): void {
    this.#backlog += bytes
    this.#total.bytes += bytes
  }
}

/** The same bytes in fewer pieces; large ones, which many connections may share, are not copied. */
function joined(frames: readonly Buffer[]): Buffer[] {
  const parts: Buffer[] = []
  let small: Buffer[] = []
  for (const frame of frames) {
    if (frame.length < LARGE_FRAME_BYTES) {
      small.push(frame)
      continue
    }
    if (small.length > 0) parts.push(Buffer.concat(small))
    small = []
    parts.push(frame)
  }
  if (small.length > 0) parts.push(Buffer.concat(small))
  return parts
}
