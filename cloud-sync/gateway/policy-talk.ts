import { encodeWant, type SigningKey, signMessage } from '../codec/index.ts'
import { comparePolicyOrder, type PolicyOrder, type PolicyWant } from '../contract/index.ts'
import type { Keyring } from './keyring.ts'
import { type MembershipSink, orderInForce, type PolicyRefusal, type UplinkClock } from './ports.ts'
import type { Timers } from './timers.ts'

/** The whole policy is asked for at most this often because of what a change was, ms. */
const WHOLE_ASKED_EVERY_MS = 30_000
/** A change of something else than what is here, or by keys that are not known yet. */
const WHOLE_HELPS: readonly PolicyRefusal[] = ['base', 'unknown-key']

interface PolicyTalkParts {
  readonly options: {
    readonly membership: MembershipSink
    readonly key: SigningKey
    readonly clock: Pick<UplinkClock, 'now'>
  }
  readonly keyring: Keyring
  readonly timers: Timers
  readonly cloudId: string
  readonly scaled: (ms: number) => number
  /** Sends a signed message of kind `want`. */
  readonly send: (message: Uint8Array) => void
}

/** What a session says about policies: asks for what is missing, tells what is in force. */
export class PolicyTalk {
  readonly #parts: PolicyTalkParts
  #askedForWholeAt = -Infinity

  constructor(parts: PolicyTalkParts) {
    this.#parts = parts
  }

  /** Asks for what is newer than what is here; `have: 0` asks for the whole. */
  ask(have = this.#parts.options.membership.version()): void {
    const { options, keyring } = this.#parts
    // Without a keyset no acknowledgement can be checked, so the snapshot is needed whatever its version.
    this.#send({ have: keyring.isEmpty ? 0 : have, want: true, applied: options.membership.version() })
  }

  /** A hint, unsigned. */
  heardOf(head: PolicyOrder): void {
    if (comparePolicyOrder(head, orderInForce(this.#parts.options.membership)) > 0) this.ask()
  }

  applied(version: number): void {
    this.#send({ have: version, want: false, applied: version })
  }

  /** Asks for the whole where that helps; not often, or whoever can write here could make the gateway talk without end. */
  refused(because: PolicyRefusal): void {
    if (!WHOLE_HELPS.includes(because)) return
    const { timers, options, scaled } = this.#parts
    const waitMs = this.#askedForWholeAt + scaled(WHOLE_ASKED_EVERY_MS) - options.clock.now()
    timers.after('whole policy', Math.max(0, waitMs), () => {
      this.#askedForWholeAt = options.clock.now()
      this.ask(0)
    })
  }

  #send(told: Omit<PolicyWant, 'generation'>): void {
    const { options, cloudId, send } = this.#parts
    const want = { generation: orderInForce(options.membership).generation, ...told }
    send(signMessage({ kind: 'want', recipient: cloudId, body: encodeWant(want), key: options.key }))
  }
}
