import { encodeWant, isPolicyChunk, PolicyChunks, type SigningKey, signMessage } from '../codec/index.ts'
import { comparePolicyOrder, type PolicyOrder, type PolicyWant } from '../contract/index.ts'
import type { Keyring } from './keyring.ts'
import {
  type MembershipSink,
  orderInForce,
  type PolicyRefusal,
  type UplinkClock,
  type UplinkLog,
} from './ports.ts'
import type { Timers } from './timers.ts'

/** The whole policy is asked for at most this often because of what a change was, ms. */
const WHOLE_ASKED_EVERY_MS = 30_000
/** A policy in parts is asked for again where so long no part came, ms: minutes on the slowest links. */
const PARTS_MS = 5 * 60_000
/** A change of something else than what is here, or by keys that are not known yet. */
const WHOLE_HELPS: readonly PolicyRefusal[] = ['base', 'unknown-key']

interface PolicyTalkParts {
  readonly options: {
    readonly membership: MembershipSink
    readonly key: SigningKey
    readonly clock: Pick<UplinkClock, 'now'>
    readonly log: UplinkLog
  }
  readonly counters: { refused: number }
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
  readonly #chunks = new PolicyChunks()
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

  /** Tells which changes made here the cloud will never get, without asking for anything. */
  tell(changes: PolicyWant['changes']): void {
    const version = this.#parts.options.membership.version()
    this.#send({ have: version, want: false, applied: version, changes })
  }

  /** A hint, unsigned. */
  heardOf(head: PolicyOrder): void {
    if (comparePolicyOrder(head, orderInForce(this.#parts.options.membership)) > 0) this.ask()
  }

  /**
   * Takes a policy or a part of one, and says what became of it.
   * @param learnt called where it brought newer keys, once it is applied
   */
  async hear(
    payload: Uint8Array,
    { isOver, learnt }: { isOver: () => boolean; learnt: () => void },
  ): Promise<void> {
    const message = this.#joined(payload)
    if (message === 'waits') return
    if (message === 'refused') {
      this.#refused('parts')
      return
    }
    const { keyring, options } = this.#parts
    const brought = keyring.learnFrom(message)
    const outcome = await options.membership.apply(message)
    if (isOver()) return
    if (brought) learnt()
    if (outcome.applied) {
      const { version } = outcome
      options.log.info({ version }, 'policy applied')
      this.#send({ have: version, want: false, applied: version })
      return
    }
    const { because } = outcome
    if (because === 'same') return
    if (WHOLE_HELPS.includes(because)) this.#askForWhole()
    if (because !== 'older') this.#refused(because)
  }

  #refused(because: PolicyRefusal | 'parts'): void {
    this.#parts.counters.refused += 1
    this.#parts.options.log.warn({ because }, 'policy refused')
  }

  /** The policy as it was sealed, once it is all here. What fits nothing is forgotten and the whole asked for again. */
  #joined(payload: Uint8Array): Uint8Array | 'waits' | 'refused' {
    if (!isPolicyChunk(payload)) return payload
    const { timers, scaled } = this.#parts
    const joining = this.#chunks.take(payload)
    if (joining.state === 'whole') return joining.message
    if (joining.state === 'refused') {
      this.#askForWhole()
      return 'refused'
    }
    timers.after('policy parts', scaled(PARTS_MS), () => {
      if (!this.#chunks.isWaiting) return
      this.#chunks.clear()
      this.ask()
    })
    return 'waits'
  }

  /** Not often, or whoever can write here could make the gateway talk without end. */
  #askForWhole(): void {
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
