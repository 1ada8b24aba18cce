import { cloudIdOf, signMessage } from '../codec/index.ts'
import type { ChangeAck } from '../contract/index.ts'
import type { Lasting } from './lasting.ts'
import type { ChangeOutbox } from './ports.ts'

/** Changes on their way at once. */
const UNJUDGED_MAX = 8
/** Without a word for this long, ms, they are sent again. */
const PATIENCE_MS = 30_000

type Standing = ReturnType<ChangeOutbox['standing']>
type Known = Pick<Lasting, 'options' | 'scaled' | 'newestServerTime'>

/**
 * Sends the changes made at this gateway, in order, on one connection. They are few and small, so they wait for no
 * budget; a new connection begins with the first that is not judged.
 */
export class ChangeSender {
  readonly #lasting: Known
  readonly #publish: (message: Uint8Array) => void
  readonly #tellLoss: (standing: Standing) => void
  #lossToldAt = -Infinity
  #cursor = 0
  #onTheirWay: number[] = []
  #heardAt = 0

  constructor(
    lasting: Known,
    say: { publish: (message: Uint8Array) => void; tellLoss: (standing: Standing) => void },
  ) {
    this.#lasting = lasting
    this.#publish = say.publish
    this.#tellLoss = say.tellLoss
  }

  pump(): void {
    const { changes, clock, key, trust } = this.#lasting.options
    while (this.#onTheirWay.length < UNJUDGED_MAX) {
      const change = changes?.next(this.#cursor)
      if (change === undefined) return
      if (this.#onTheirWay.length === 0) this.#heardAt = clock.now()
      this.#cursor = change.seq
      this.#onTheirWay.push(change.seq)
      this.#publish(signMessage({ kind: 'prop', recipient: cloudIdOf(trust), body: change.body, key }))
    }
  }

  /** Applies what the cloud says of them; its signature is verified. */
  async hear(ack: ChangeAck): Promise<void> {
    const { changes, clock, onTrustedTime } = this.#lasting.options
    if (ack.serverTime > this.#lasting.newestServerTime) {
      this.#lasting.newestServerTime = ack.serverTime
      onTrustedTime?.(ack.serverTime)
    }
    await changes?.judged(ack)
    this.#heardAt = clock.now()
    this.#onTheirWay = this.#onTheirWay.filter((seq) => seq > ack.upTo)
    this.#noticeLoss(ack)
    this.pump()
  }

  /**
   * A cloud that came back from a backup waits for changes that it had judged and that are forgotten here. It is told,
   * signed, that they never come; what is sent again after that is judged.
   */
  #noticeLoss({ replica, upTo }: ChangeAck): void {
    const { options, scaled } = this.#lasting
    const standing = options.changes?.standing()
    if (standing?.replica !== replica || upTo >= standing.from - 1) return
    if (options.clock.now() - this.#lossToldAt < scaled(PATIENCE_MS)) return
    this.#lossToldAt = options.clock.now()
    this.#tellLoss(standing)
  }

  /** Sends again what nothing was said about for too long. */
  check(): void {
    const { options, scaled } = this.#lasting
    if (this.#onTheirWay.length === 0 || options.clock.now() - this.#heardAt < scaled(PATIENCE_MS)) return
    this.#cursor = 0
    this.#onTheirWay = []
    this.pump()
  }
}
