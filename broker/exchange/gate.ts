import type { AuthenticateError, Client } from 'aedes'
import type { Subscriber } from '../delivery/subscriber.ts'
import type { BrokerLimits } from '../limits.ts'
import type { BrokerLog } from '../log.ts'
import type { CommitWriter } from '../persistence/index.ts'
import type { BrokerPolicy, ConnectAnswer, Credentials, Principal } from '../policy.ts'
import { type TopicRules, clientIdIsSound, topicBound, topicIsReserved, topicIsSound } from '../topics.ts'
import type { PublishPacket, Will } from '../wire/index.ts'
import type { Audit } from './audit.ts'
import type { Counts } from './counts.ts'
import { type Dialogue, dialogueOf } from './dialogue.ts'
import type { Registry } from './registry.ts'

/** Return codes of a CONNACK (MQTT 3.1.1, 3.2.2.3). */
const IDENTIFIER_REJECTED = 2
const RETURN_CODES = { unavailable: 3, 'bad-credentials': 4, 'not-authorised': 5 } as const

/** Why a login was refused, and what the CONNACK says. */
interface Refusal {
  readonly returnCode: number
  readonly because: string
}

const STORE_FULL: Refusal = { returnCode: RETURN_CODES.unavailable, because: 'store-full' }

interface GateParts<P extends Principal> {
  readonly policy: BrokerPolicy<P>
  readonly registry: Registry<P>
  readonly writer: CommitWriter
  readonly limits: BrokerLimits
  readonly topics: TopicRules
  readonly counts: Counts
  readonly audit: Audit
  readonly log: BrokerLog
}

/**
 * The one place where the policy is asked: at connect, publish (wills too), subscribe and before every delivery. A
 * policy that throws has refused.
 */
export class Gate<P extends Principal> {
  readonly #parts: GateParts<P>
  /** Counts revocations, so that a login that was asked before one is asked again after it. */
  #revocations = 0

  constructor(parts: GateParts<P>) {
    this.#parts = parts
  }

  readonly authenticate = (
    client: Client,
    username: string | undefined,
    password: Buffer | undefined,
    done: (error: AuthenticateError | null, success: boolean | null) => void,
  ): void => {
    const dialogue = dialogueOf<P>(client)
    if (dialogue === undefined) return
    const { remote, transport, certificate } = dialogue.connection.peer
    const credentials: Credentials = {
      clientId: client.id,
      username: username ?? null,
      password: password ?? null,
      remote,
      transport,
      certificate,
    }
    void this.#logIn(dialogue, client.id, credentials).then((refusal) => {
      if (refusal === null) {
        done(null, true)
        return
      }
      const { counts, audit } = this.#parts
      counts.refusedConnects += 1
      const { returnCode, because } = refusal
      audit.refused({ kind: 'connect', principalId: null, clientId: client.id, remote, what: because })
      done(Object.assign(new Error(because), { returnCode }), null)
    })
  }

  mayPublish(dialogue: Dialogue<P>, packet: PublishPacket): boolean {
    if (this.#mayPublish(dialogue.principal, packet, packet.payload.length)) return true
    this.#metTopicBound(packet.topic, dialogue.clientId)
    this.#parts.counts.quarantined += 1
    this.#refused('publish', dialogue, packet.topic)
    return false
  }

  /** Asked when the client connects and again when it is due. */
  mayLeaveWill(dialogue: Dialogue<P>, will: Will): boolean {
    const { payload, ...rest } = will
    if (!dialogue.willRefused && this.#mayPublish(dialogue.principal, rest, payload.length)) return true
    this.#parts.counts.refusedWills += 1
    this.#refused('will', dialogue, will.topic)
    return false
  }

  /** Asked for the will of a connection that an earlier run left behind. */
  mayPublishStored(principal: P | undefined, will: Will): boolean {
    if (this.#mayPublish(principal, will, will.payload.length)) return true
    this.#parts.counts.refusedWills += 1
    return false
  }

  maySubscribe(dialogue: Dialogue<P>, subscriber: Subscriber<P>, filter: string): boolean {
    const { principal } = dialogue
    const { policy, limits, topics, counts } = this.#parts
    const fits = subscriber.filters.has(filter) || subscriber.filters.size < limits.subscriptions
    const isGranted =
      fits &&
      principal !== undefined &&
      topicIsSound(filter, topics) &&
      this.guarded(() => policy.maySubscribe(principal, filter))
    if (isGranted) return true
    if (!fits) counts.bounds.met('subscriptions', dialogue.clientId)
    else this.#metTopicBound(filter, dialogue.clientId)
    counts.refusedSubscriptions += 1
    this.#refused('subscribe', dialogue, filter)
    return false
  }

  /** Filters of one packet that are refused without being asked about: it had more to refuse than a client may have in all. */
  refuseUnasked(dialogue: Dialogue<P>, filters: number): void {
    const { counts } = this.#parts
    counts.bounds.met('subscriptions', dialogue.clientId, filters)
    counts.refusedSubscriptions += filters
    this.#refused('subscribe', dialogue, `${filters} more in one packet`)
  }

  /**
   * Not a repetition: live messages, queues, retained messages and restored sessions all pass only here, and a right
   * that was revoked after the SUBSCRIBE ends here.
   */
  mayReceive(principal: P | undefined, topic: string): boolean {
    const { policy, topics, counts } = this.#parts
    if (principal !== undefined && !topicIsReserved(topic, topics)) {
      try {
        if (policy.mayReceive(principal, topic)) return true
      } catch (err) {
        this.#parts.log.error({ err }, 'the policy failed')
      }
    }
    counts.withheld += 1
    return false
  }

  /** From now on nobody is let in on what was answered before. */
  revoked(): void {
    this.#revocations += 1
  }

  guarded(question: () => boolean): boolean {
    try {
      return question()
    } catch (err) {
      this.#parts.log.error({ err }, 'the policy or a listener failed')
      return false
    }
  }

  async #logIn(dialogue: Dialogue<P>, clientId: string, credentials: Credentials): Promise<Refusal | null> {
    const { limits, counts } = this.#parts
    if (!clientIdIsSound(clientId, limits.clientIdLength)) {
      if (clientId.length > 0) counts.bounds.met('clientIdLength', credentials.remote)
      return { returnCode: IDENTIFIER_REJECTED, because: 'client id not allowed' }
    }
    let answer: ConnectAnswer<P>
    let asked: number
    do {
      asked = this.#revocations
      answer = await this.#ask(credentials)
    } while (asked !== this.#revocations)
    if (!answer.allowed) return { returnCode: RETURN_CODES[answer.because], because: answer.because }
    if (!dialogue.connection.isOpen) return { returnCode: RETURN_CODES.unavailable, because: 'gone' }
    return this.#claim(dialogue, clientId, answer.principal)
  }

  /** The login is right: may it have this client id, and be kept? */
  #claim(dialogue: Dialogue<P>, clientId: string, principal: P): Refusal | null {
    const { registry, writer } = this.#parts
    const claim = registry.claim(clientId, principal, dialogue.isClean)
    if (claim === 'held-by-another') return { returnCode: IDENTIFIER_REJECTED, because: claim }
    if (claim === 'too-many') return { returnCode: RETURN_CODES.unavailable, because: claim }
    dialogue.principal = principal
    dialogue.sessionPresent = !dialogue.isClean && registry.sessions.has(clientId)
    const will = dialogue.connect?.will
    if (will !== undefined && !this.mayLeaveWill(dialogue, will)) dialogue.willRefused = true
    // Before an earlier connection of this client id is closed for it: that one goes on as far as it can.
    return dialogue.isKept && writer.refused ? STORE_FULL : null
  }

  async #ask(credentials: Credentials): Promise<ConnectAnswer<P>> {
    try {
      return await this.#parts.policy.connect(credentials)
    } catch (err) {
      this.#parts.log.error({ err }, 'the policy failed at connect')
      return { allowed: false, because: 'unavailable' }
    }
  }

  #mayPublish(
    principal: P | undefined,
    { topic, retain, qos }: Pick<PublishPacket, 'topic' | 'retain' | 'qos'>,
    payloadBytes: number,
  ): boolean {
    if (principal === undefined || !topicIsSound(topic, this.#parts.topics)) return false
    const { policy } = this.#parts
    return this.guarded(() => policy.mayPublish(principal, { topic, retain, qos, payloadBytes }) === 'allow')
  }

  #metTopicBound(topic: string, clientId: string): void {
    const bound = topicBound(topic, this.#parts.topics)
    if (bound !== undefined) this.#parts.counts.bounds.met(bound, clientId)
  }

  #refused(kind: 'publish' | 'subscribe' | 'will', dialogue: Dialogue<P>, what: string): void {
    this.#parts.audit.refused({
      kind,
      principalId: dialogue.principal?.id ?? null,
      clientId: dialogue.clientId,
      remote: dialogue.connection.peer.remote,
      what,
    })
  }
}
