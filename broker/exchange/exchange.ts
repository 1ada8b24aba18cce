import type { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { Aedes, type AedesOptions, type Client } from 'aedes'
import type { BrokerOptions } from '../broker.ts'
import { type CloseReason, Connection } from '../connection/connection.ts'
import type { Backlog } from '../connection/sending.ts'
import { FilterIndex } from '../delivery/filter-index.ts'
import { LiveSubscriber } from '../delivery/live.ts'
import { Session } from '../delivery/session.ts'
import type { Subscriber } from '../delivery/subscriber.ts'
import { Bounds } from '../bounds.ts'
import type { BrokerLimits } from '../limits.ts'
import type { Peer } from '../listen/index.ts'
import { Traffic } from '../metering/traffic.ts'
import {
  type BrokerStorage,
  type CommitWriter,
  memoryOf,
  type MessageStore,
  SqliteMessageStore,
  TrafficRegisters,
} from '../persistence/index.ts'
import type { Principal } from '../policy.ts'
import type { PublishPacket, SubscribePacket, UnsubscribePacket } from '../wire/index.ts'
import { AedesEmitter, AedesStore, unregisterClosed } from './aedes-side.ts'
import { Audit } from './audit.ts'
import { type Counts, countIn, newCounts } from './counts.ts'
import { type Counterpart, Dialogue, dialogueOf } from './dialogue.ts'
import { Entrance } from './entrance.ts'
import { Gate } from './gate.ts'
import { Publishing } from './publishing.ts'
import { Registry } from './registry.ts'
import { RetainedMessages } from './retained.ts'
import { Subscribing } from './subscribing.ts'
import { bytesInUse, Watch } from './watch.ts'

/** Of a store in memory the queues may take this part of the memory ceiling. */
const STORE_MEMORY_PART = 1 / 4
/** How long the end waits for the last commit, ms. */
const LAST_COMMIT_MS = 2_000

/** Everything behind the listeners, put together. */
export class Exchange<P extends Principal> implements Counterpart<P> {
  readonly aedes: Aedes
  readonly counts: Counts
  readonly limits: BrokerLimits
  readonly store: MessageStore
  readonly registry: Registry<P>
  readonly audit: Audit
  readonly publishing: Publishing<P>
  readonly registers: TrafficRegisters
  readonly retained: RetainedMessages
  readonly #options: BrokerOptions<P>
  readonly #gate: Gate<P>
  readonly #traffic: Traffic
  readonly #subscribing: Subscribing<P>
  readonly #entrance: Entrance<P>
  readonly #watch: Watch<P>
  readonly #wills: AedesStore
  readonly #writer: CommitWriter
  /** All that are open, logged in or not. */
  readonly #dialogues = new Set<Dialogue<P>>()
  /** Those of them without a login, oldest first. */
  readonly #strangers = new Set<Dialogue<P>>()
  readonly #perAddress = new Map<string, number>()
  readonly #backlog: Backlog = { bytes: 0 }

  constructor(options: BrokerOptions<P>, storage: BrokerStorage, limits: BrokerLimits) {
    this.#options = options
    this.limits = limits
    const { policy, log, dollarTopics = 'refused', monoMs = () => performance.now() } = options
    const counts = (this.counts = newCounts(new Bounds(limits, log)))
    const { writer } = storage
    this.#writer = writer
    const index = new FilterIndex<Subscriber<P>>()
    const store = (this.store = new SqliteMessageStore(storage, {
      retained: { topics: limits.retainedTopics, bytes: limits.retainedBytes },
      monoMs,
    }))
    const principalOf = (id: string): P | undefined => policy.principal(id)
    const registry = (this.registry = new Registry<P>({
      store,
      index,
      limits,
      counts,
      storedBytesMax: storage.database.memory
        ? Math.min(limits.offlineTotalBytes, limits.memoryBytes * STORE_MEMORY_PART)
        : limits.offlineTotalBytes,
      principalOf,
      mayReceive: (principal, topic) => gate.mayReceive(principal, topic),
    }))
    const audit = (this.audit = new Audit(log, options.onAudit))
    const topics = { dollarTopics, topicLength: limits.topicLength, topicLevels: limits.topicLevels }
    const guarded = { policy, registry, writer, limits, topics, counts, audit, log }
    const gate: Gate<P> = (this.#gate = new Gate<P>(guarded))
    const registers = (this.registers = new TrafficRegisters(storage.database))
    const sink = {
      ownerOf: options.ownerOf ?? (() => ''),
      ...(options.onTraffic !== undefined && { onTraffic: options.onTraffic }),
      write: registers.write.bind(registers),
    }
    const traffic = (this.#traffic = new Traffic(sink, writer))
    const retained = (this.retained = new RetainedMessages(store, writer, limits))
    const parts = { gate, index, store, writer, retained, traffic, limits, counts }
    const publishing = (this.publishing = new Publishing<P>(parts))
    this.#subscribing = new Subscribing<P>({ gate, index, store, retained, publishing, limits, log })
    const backlog = this.#backlog
    this.#entrance = new Entrance<P>({ gate, registry, store, writer, traffic, backlog, limits, counts })
    const memory = (): number => process.memoryUsage.rss()
    const sweep = (): void => {
      this.#dropOld()
    }
    const inUse = (): number => bytesInUse() + memoryOf(storage.database)
    const watched = { dialogues: this.#dialogues, backlog, bounds: counts.bounds, inUse }
    this.#watch = new Watch({ ...watched, limits, log, memory, monoMs, sweep })
    this.#wills = new AedesStore(store)
    this.aedes = this.#makeAedes()
  }

  get connections(): number {
    return this.#dialogues.size
  }

  /** Takes up what is stored; afterwards connections may come. */
  async start(): Promise<void> {
    this.registry.load()
    await this.aedes.listen()
    this.#publishWills()
    this.publishing.replay((id) => this.#options.policy.principal(id))
    this.#watch.start()
  }

  /** Closes every connection; wills are published, as nobody said goodbye. Resolves when all is on the disk, or will not be. */
  async stop(): Promise<void> {
    this.#watch.stop()
    for (const dialogue of this.#dialogues) dialogue.close('shutdown')
    await new Promise<void>((resolve) => {
      this.aedes.close(resolve)
    })
    await this.#lastCommit()
  }

  /** A full disk must not keep the process: whoever closes the store hears that it could not be written. */
  async #lastCommit(): Promise<void> {
    if (this.#writer.refused) return
    const committed = this.store.committed().catch(() => undefined)
    const patience = new AbortController()
    const late = sleep(LAST_COMMIT_MS, undefined, { signal: patience.signal }).catch(() => undefined)
    await Promise.race([committed, late])
    patience.abort()
  }

  /** A connection that is through its handshakes; turned away where there are too many. */
  accept(stream: Duplex, peer: Peer): void {
    const { connections, connectionsPerAddress, strangers } = this.limits
    const ofAddress = this.#perAddress.get(peer.address) ?? 0
    const { bounds } = this.counts
    if (this.#strangers.size >= strangers || this.#dialogues.size >= connections) this.#crowdOut()
    if (this.#dialogues.size >= connections) bounds.met('connections', peer.remote)
    else if (peer.transport !== 'unix' && ofAddress >= connectionsPerAddress)
      bounds.met('connectionsPerAddress', peer.address)
    else if (this.#watch.isPressed) bounds.met('memoryBytes', peer.remote)
    else {
      this.#perAddress.set(peer.address, ofAddress + 1)
      const dialogue = new Dialogue<P>(this)
      this.#dialogues.add(dialogue)
      this.#strangers.add(dialogue)
      const parts = { limits: this.limits, events: dialogue, backlog: this.#backlog, bounds }
      dialogue.begin(new Connection(stream, peer, parts))
      return
    }
    stream.destroy()
  }

  /** Closes who has been without a login for longest. */
  #crowdOut(): void {
    for (const oldest of this.#strangers) {
      this.counts.bounds.met('strangers', oldest.connection.peer.remote)
      oldest.close('crowded-out')
      return
    }
  }

  /** See `Broker.closeSessions`. */
  async closeSessions(which: (principal: P) => boolean, { nobodys } = { nobodys: false }): Promise<void> {
    this.#gate.revoked()
    this.#traffic.forgetOwners()
    for (const dialogue of this.#dialogues) {
      if (dialogue.principal === undefined || !which(dialogue.principal)) continue
      dialogue.willRefused = true
      dialogue.close('revoked')
    }
    this.registry.dropAll((principal) => principal !== undefined && which(principal))
    this.registry.refreshPrincipals()
    if (nobodys) this.registry.dropAll((principal) => principal === undefined)
    await this.store.committed()
  }

  fault(dialogue: Dialogue<P>, { reason, clause }: { reason: string; clause: string }): void {
    countIn(this.counts.faults, reason)
    const { clientId, connection } = dialogue
    if (reason === 'too-large') {
      const bound = dialogue.connect === undefined ? 'connectBytes' : 'packetBytes'
      this.counts.bounds.met(bound, connection.peer.remote)
    }
    this.#options.log.info({ clientId, remote: connection.peer.remote, reason, clause }, 'protocol fault')
  }

  entered(dialogue: Dialogue<P>): void {
    const { principal } = dialogue
    if (principal === undefined) return
    this.#strangers.delete(dialogue)
    this.#entrance.admit(dialogue, principal)
  }

  goodbye({ client }: Dialogue<P>): void {
    if (client !== undefined) this.#wills.forget(client)
  }

  left(dialogue: Dialogue<P>, reason: CloseReason): void {
    countIn(this.counts.closed, reason)
    this.#dialogues.delete(dialogue)
    this.#strangers.delete(dialogue)
    this.#leaveAddress(dialogue.connection.peer.address)
    const { subscriber } = dialogue
    if (subscriber instanceof LiveSubscriber) {
      this.registry.unsubscribe(subscriber)
      subscriber.detach()
    } else if (subscriber instanceof Session) subscriber.detach()
    this.registry.leave(dialogue)
  }

  publish(dialogue: Dialogue<P>, packet: PublishPacket): void {
    this.publishing.take(dialogue, packet)
  }

  release(dialogue: Dialogue<P>, messageId: number): void {
    this.publishing.release(dialogue, messageId)
  }

  subscribe(dialogue: Dialogue<P>, packet: SubscribePacket): void {
    this.#subscribing.subscribe(dialogue, packet)
    if (!dialogue.isClean) this.#entrance.limitWait(dialogue)
  }

  unsubscribe(dialogue: Dialogue<P>, packet: UnsubscribePacket): void {
    this.#subscribing.unsubscribe(dialogue, packet)
    if (!dialogue.isClean) this.#entrance.limitWait(dialogue)
  }

  #makeAedes(): Aedes {
    const { log } = this.#options
    const emitter = new AedesEmitter((will) => {
      this.publishing.inside(will, { keepRetained: true })
    })
    const options: AedesOptions = {
      authenticate: this.#gate.authenticate,
      authorizePublish: (client, will, done) => {
        done(this.#mayPublishWill(client, will as PublishPacket) ? null : new Error('will refused'))
      },
      persistence: this.#wills,
      mq: emitter,
      connectTimeout: this.limits.connectTimeoutMs,
      maxClientsIdLength: this.limits.clientIdLength,
    }
    const aedes = new Aedes(options)
    // aedes reports what it cannot deal with as 'error'; without a listener that would end the process.
    const faults: EventEmitter = aedes
    faults.on('error', (err: unknown) => {
      log.error({ err }, 'broker fault')
    })
    aedes.on('client', (client) => {
      unregisterClosed(aedes, client)
    })
    aedes.on('connackSent', ({ returnCode }, client) => {
      dialogueOf<P>(client)?.answered(returnCode ?? 0)
    })
    return aedes
  }

  #mayPublishWill(client: Client | null, will: PublishPacket): boolean {
    const dialogue = client === null ? undefined : dialogueOf<P>(client)
    if (dialogue === undefined || dialogue.hearGoodbye()) return false
    return this.#gate.mayLeaveWill(dialogue, will)
  }

  /** Wills of connections that the last run left without a word: nobody said goodbye. */
  #publishWills(): void {
    for (const { clientId, extra = '', ...will } of this.store.wills()) {
      this.store.dropWill(clientId)
      const principal = this.#options.policy.principal(extra)
      if (this.#gate.mayPublishStored(principal, will)) this.publishing.inside(will, { keepRetained: true })
    }
  }

  /** Messages that have waited for too long in the queue of a stored session. */
  #dropOld(): void {
    const { sessions } = this.registry
    const dropped = this.store.expire(this.limits.offlineAgeMs, (id) => sessions.get(id)?.keepUpTo ?? 0)
    for (const [clientId, what] of dropped) sessions.get(clientId)?.forgot(what, 'offlineAgeMs')
  }

  #leaveAddress(address: string): void {
    const left = (this.#perAddress.get(address) ?? 1) - 1
    if (left === 0) this.#perAddress.delete(address)
    else this.#perAddress.set(address, left)
  }
}
