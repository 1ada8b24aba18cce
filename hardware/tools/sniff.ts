import { systemClock } from '../clock.ts'
import { timingOf } from '../line/timing.ts'
import { type DissectedFrame, dissect } from './dissect.ts'
import { type ToolPort, openToolLine } from './tool-line.ts'

/** USB adapters hand bytes over every 16 ms: a shorter pause says nothing. */
const PAUSE_MS_MIN = 20
/** A line that never pauses is cut here. */
const STRETCH_BYTES_MAX = 4_096
/** A reader that does not keep up loses what is above this, oldest first. */
const WAITING_FRAMES_MAX = 10_000

export interface SniffRequest extends ToolPort {
  readonly signal: AbortSignal
}

export interface SniffedFrame {
  /** Wall clock when its first byte was given to us, epoch ms. */
  readonly at: number
  /** Time since the bytes before, ms, as the operating system gives them to us; null for the first. */
  readonly gapMs: number | null
  readonly bytes: Uint8Array
  /** null = no frame of Modbus RTU with a right checksum. */
  readonly frame: DissectedFrame | null
}

/**
 * Listens without sending, until the signal. Frames that follow each other within 20 ms have the same time.
 * @throws HardwareError LINE_UNAVAILABLE
 */
export async function* sniffLine(request: SniffRequest): AsyncGenerator<SniffedFrame, void, undefined> {
  const { signal, port, baud, format } = request
  const line = await openToolLine({ port, baud, format }, { clock: systemClock, signal })
  const ear = new Ear(Math.max(PAUSE_MS_MIN, timingOf(baud, format).t35Ms))
  const unlisten = line.sniff((bytes, at) => {
    ear.hear(bytes, at)
  })
  const onAbort = (): void => {
    ear.end()
  }
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) ear.end()
  try {
    for (;;) {
      const frames = await ear.next()
      if (frames.length === 0) return
      yield* frames
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    unlisten()
    ear.end()
    await line.stop()
  }
}

/** Gathers bytes until a pause and keeps what they are until it is fetched. */
class Ear {
  readonly #pauseMs: number
  #chunks: Uint8Array[] = []
  #bytes = 0
  #firstAt = 0
  #firstMs = 0
  #lastMs: number | null = null
  #frames: SniffedFrame[] = []
  #cancelPause: () => void = () => undefined
  #wake: () => void = () => undefined
  #ended = false

  constructor(pauseMs: number) {
    this.#pauseMs = pauseMs
  }

  hear(bytes: Uint8Array, at: number): void {
    const nowMs = systemClock.now()
    if (this.#bytes === 0) {
      this.#firstAt = at
      this.#firstMs = nowMs
    }
    this.#chunks.push(Uint8Array.from(bytes))
    this.#bytes += bytes.length
    this.#cancelPause()
    if (this.#bytes >= STRETCH_BYTES_MAX) this.#cut(nowMs)
    else {
      this.#cancelPause = systemClock.after(this.#pauseMs, () => {
        this.#cut(nowMs)
      })
    }
  }

  /** Frames heard since the last call, waiting for the first; empty at the end. */
  async next(): Promise<SniffedFrame[]> {
    if (this.#frames.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#frames.splice(0)
  }

  end(): void {
    this.#cancelPause()
    this.#ended = true
    this.#wake()
  }

  /** What was heard until `lastMs` is whole. */
  #cut(lastMs: number): void {
    const gapMs = this.#lastMs === null ? null : this.#firstMs - this.#lastMs
    for (const [index, { bytes, frame }] of dissect(Buffer.concat(this.#chunks)).entries()) {
      this.#frames.push({ at: this.#firstAt, gapMs: index === 0 ? gapMs : 0, bytes, frame })
    }
    this.#frames = this.#frames.slice(-WAITING_FRAMES_MAX)
    this.#lastMs = lastMs
    this.#chunks = []
    this.#bytes = 0
    this.#wake()
  }
}
