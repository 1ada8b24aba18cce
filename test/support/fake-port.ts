import type { Transport, TransportListener, TransportOpener } from '../../hardware/line/transport.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** After a pause longer than this the process must have stood still: timers then run before input is read. */
const STALL_MS = 1

/**
 * A port of a line in virtual time. Bytes arrive in its buffer at their moment and are read in the same moment,
 * unless the process stood still: then they lie unread until `settle`, or until the timers that are due have run.
 */
export class FakePort {
  /** What was sent, and when. */
  readonly sent: { bytes: Uint8Array; at: number }[] = []
  /** What the device does with a request; `arrive` is the way to answer. */
  onRequest: (bytes: Uint8Array) => void = () => undefined
  /** Set to refuse to open. */
  refusal: string | null = null
  /** The port takes no bytes: writes never end. */
  isStuck = false
  opened = 0
  closed = 0
  readonly #clock: VirtualClock
  #listener: TransportListener | null = null
  #unread: Uint8Array[] = []

  constructor(clock: VirtualClock) {
    this.#clock = clock
  }

  readonly open: TransportOpener = (_, listener) => {
    if (this.refusal !== null) return Promise.reject(new Error(this.refusal))
    this.opened += 1
    this.#listener = listener
    this.#unread = []
    const transport: Transport = {
      write: (bytes) => {
        if (this.isStuck) return new Promise(() => undefined)
        if (this.#listener !== listener) return Promise.reject(new Error('EIO'))
        this.sent.push({ bytes: bytes.slice(), at: this.#clock.now() })
        this.onRequest(bytes)
        return Promise.resolve()
      },
      settle: () => {
        this.#read()
        return Promise.resolve()
      },
      close: () => {
        this.closed += 1
        if (this.#listener === listener) this.#listener = null
        return Promise.resolve()
      },
    }
    return Promise.resolve(transport)
  }

  /** These bytes arrive in `inMs`. */
  arrive(bytes: Uint8Array, inMs: number): void {
    const at = this.#clock.now() + inMs
    this.#clock.at(at, () => {
      this.#unread.push(bytes)
      if (this.#clock.now() - at > STALL_MS)
        this.#clock.soon(() => {
          this.#read()
        })
      else this.#read()
    })
  }

  /** Pulls the plug. */
  lose(cause = 'EIO'): void {
    const listener = this.#listener
    this.#listener = null
    listener?.onLost(cause)
  }

  #read(): void {
    for (const bytes of this.#unread.splice(0)) this.#listener?.onBytes(bytes)
  }
}
