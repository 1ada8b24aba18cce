import type { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import { Aedes } from 'aedes'
import type { Broker, BrokerOptions, BrokerStats, ClientMessage, LocalMessage } from './broker.ts'
import { Gate } from './gate.ts'
import { GuardedSocket } from './guarded-socket.ts'
import { CONNECTIONS_MAX, CONNECT_TIMEOUT_MS, DRAIN_TIMEOUT_MS, TOPIC_LEVELS_MAX } from './limits.ts'
import { type Listener, type ListenerSpec, openListener, type Peer } from './listen/index.ts'
import { type BrokerMetrics, createBrokerMetrics } from './metrics/broker-metrics.ts'
import type { MetricFamily } from './metrics/metrics.ts'
import type { Principal } from './policy.ts'

/**
 * A broker in this process behind one policy. Nothing happens before `start`; after `stop` make a new one.
 * Sessions, queues and retained messages live in memory.
 */
export function createBroker<P extends Principal>(options: BrokerOptions<P>): Broker<P> {
  return new AedesBroker(options)
}

class AedesBroker<P extends Principal> implements Broker<P> {
  readonly #options: BrokerOptions<P>
  readonly #gate: Gate<P>
  readonly #metrics: BrokerMetrics
  readonly #aedes: Aedes
  readonly #sockets = new Set<GuardedSocket>()
  readonly #listeners: Listener[] = []

  constructor(options: BrokerOptions<P>) {
    this.#options = options
    this.#metrics = createBrokerMetrics(() => this.#gate.stats())
    this.#gate = new Gate(options, this.#metrics)
    const { authenticate, authorizePublish, authorizeSubscribe, authorizeForward, store } = this.#gate
    this.#aedes = new Aedes({
      authenticate,
      authorizePublish,
      authorizeSubscribe,
      authorizeForward,
      persistence: store,
      connectTimeout: CONNECT_TIMEOUT_MS,
      drainTimeout: DRAIN_TIMEOUT_MS,
      maxTopicLevels: TOPIC_LEVELS_MAX,
    })
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    this.#listen()
    await this.#aedes.listen()
    try {
      for (const entry of this.#options.listen) {
        this.#listeners.push(await this.#openListener(entry))
        signal.throwIfAborted()
      }
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    for (const listener of this.#listeners.splice(0)) listener.close()
    await new Promise<void>((resolve) => {
      this.#aedes.close(resolve)
    })
    for (const socket of this.#sockets) socket.destroy()
  }

  addresses(): readonly string[] {
    return this.#listeners.map((listener) => listener.address)
  }

  async reloadCertificates(): Promise<void> {
    const results = await Promise.allSettled(this.#listeners.map((listener) => listener.reload()))
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  publish(message: LocalMessage): Promise<void> {
    this.#gate.countPublished()
    return new Promise((resolve, reject) => {
      const { topic, qos, retain } = message
      const payload = Buffer.from(message.payload)
      this.#aedes.publish({ cmd: 'publish', topic, payload, qos, retain, dup: false }, (error) => {
        if (error) reject(error)
        else resolve()
      })
    })
  }

  onMessage(listener: (message: ClientMessage<P>) => void): () => void {
    return this.#gate.onMessage(listener)
  }

  closeSessions(which: (principal: P) => boolean): Promise<void> {
    return this.#gate.closeSessions(which)
  }

  stats(): BrokerStats {
    return this.#gate.stats()
  }

  metrics(): readonly MetricFamily[] {
    return this.#metrics.families()
  }

  #listen(): void {
    const { log } = this.#options
    // aedes reports what it cannot deal with as 'error'; without a listener that would end the process.
    const faults: EventEmitter = this.#aedes
    faults.on('error', (err: unknown) => {
      log.error({ err }, 'broker fault')
    })
    // What a stranger's bytes do is told by a reason, not by a stack: it is no fault of ours.
    this.#aedes.on('clientError', (client, error) => {
      // A refused CONNECT has an errorCode; the gate has told it.
      if (!('errorCode' in error))
        log.info({ clientId: client.id, reason: error.message }, 'connection closed')
    })
    this.#aedes.on('connectionError', (_client, error) => {
      log.info({ reason: error.message }, 'connection closed before its login')
    })
    this.#aedes.on('connackSent', (_packet, client) => {
      this.#gate.restored(client)
    })
    this.#aedes.on('unsubscribe', (filters, client) => {
      this.#gate.unsubscribed(client, filters)
    })
  }

  #openListener(entry: string | ListenerSpec): Promise<Listener> {
    return openListener(
      typeof entry === 'string' ? { url: entry } : entry,
      (stream, peer) => {
        this.#accept(stream, peer)
      },
      {
        connectionsMax: CONNECTIONS_MAX,
        log: this.#options.log,
        onRefused: (refusal) => {
          this.#metrics.handshakes.add(refusal)
        },
      },
    )
  }

  #accept(stream: Duplex, peer: Peer): void {
    if (this.#sockets.size >= CONNECTIONS_MAX) {
      this.#metrics.bounds.add('connections')
      stream.destroy()
      return
    }
    const guarded = new GuardedSocket(stream, peer, () => {
      this.#metrics.bounds.add('packet-bytes')
    })
    this.#sockets.add(guarded)
    guarded.once('close', () => this.#sockets.delete(guarded))
    this.#aedes.handle(guarded)
  }
}
