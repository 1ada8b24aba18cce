import type { Duplex } from 'node:stream'
import type { Broker, BrokerOptions, BrokerStats, ClientMessage, LocalMessage } from './broker.ts'
import { Exchange } from './exchange/exchange.ts'
import { limitsWith } from './limits.ts'
import { type Listener, type ListenerSpec, openListener, type Peer, type Refusal } from './listen/index.ts'
import { type BrokerMetrics, createBrokerMetrics } from './metrics/broker-metrics.ts'
import type { MetricFamily } from './metrics/metrics.ts'
import { openBrokerStorage, type OpenedBrokerStorage, type TrafficRegister } from './persistence/index.ts'
import type { BrokerLog } from './log.ts'
import type { Principal } from './policy.ts'

/**
 * A broker in this process behind one policy. Nothing happens before `start`; after `stop` make a new one. aedes runs
 * the connections (CONNECT, take-over, wills); what is sent and received is ours (docs/adr/0009).
 */
export function createBroker<P extends Principal>(options: BrokerOptions<P>): Broker<P> {
  return new StrictBroker(options)
}

/** Whoever publishes more than this from inside waits for a turn of the event loop, so that it can go out. */
const BYTES_A_TURN = 64 * 1024
const MESSAGE_OVERHEAD_BYTES = 256

class StrictBroker<P extends Principal> implements Broker<P> {
  readonly #options: BrokerOptions<P>
  /** In memory, where nobody gave one. */
  readonly #ownStorage: OpenedBrokerStorage | undefined
  readonly #exchange: Exchange<P>
  readonly #metrics: BrokerMetrics
  readonly #listeners: Listener[] = []
  /** Bytes published from inside since others last had a turn. */
  #sinceTurn = 0

  constructor(options: BrokerOptions<P>) {
    this.#options = options
    let { storage } = options
    if (storage === undefined) storage = this.#ownStorage = inMemory(options.log)
    this.#exchange = new Exchange(options, storage, limitsWith(options.limits ?? {}))
    this.#metrics = createBrokerMetrics(this.#exchange)
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    await this.#exchange.start()
    try {
      this.#options.onLoaded?.()
      for (const given of this.#options.listen) {
        await this.#listen(typeof given === 'string' ? { url: given } : given)
        signal.throwIfAborted()
      }
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    for (const listener of this.#listeners.splice(0)) listener.close()
    await this.#exchange.stop()
    this.#ownStorage?.close()
  }

  addresses(): readonly string[] {
    return this.#listeners.map((listener) => listener.address)
  }

  async reloadCertificates(): Promise<void> {
    const results = await Promise.allSettled(this.#listeners.map((listener) => listener.reload()))
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  publish(message: LocalMessage): Promise<void> {
    this.#exchange.publishing.inside(message, { keepRetained: false })
    this.#sinceTurn += message.payload.length + MESSAGE_OVERHEAD_BYTES
    if (this.#sinceTurn < BYTES_A_TURN) return Promise.resolve()
    this.#sinceTurn = 0
    return new Promise((resolve) => setImmediate(resolve))
  }

  onMessage(listener: (message: ClientMessage<P>) => void): () => void {
    return this.#exchange.publishing.onMessage(listener)
  }

  closeSessions(which: (principal: P) => boolean, also?: { readonly nobodys: boolean }): Promise<void> {
    return this.#exchange.closeSessions(which, also)
  }

  async dropRetained(which: (topic: string) => boolean): Promise<number> {
    const { retained, store } = this.#exchange
    const dropped = retained.drop(which)
    await store.committed()
    return dropped
  }

  stats(): BrokerStats {
    const { counts, registry } = this.#exchange
    const { published, delivered, quarantined, refusedConnects, refusedSubscriptions, withheld } = counts
    const { droppedQos0, refusedWills, droppedQueued, droppedOffline, droppedRetained } = counts
    return {
      clients: registry.connected.size,
      published,
      delivered,
      quarantined: quarantined + refusedWills,
      refusedConnects,
      refusedSubscriptions,
      withheld,
      dropped: droppedQos0 + droppedQueued + droppedOffline + droppedRetained,
    }
  }

  traffic(): readonly TrafficRegister[] {
    return this.#exchange.registers.all()
  }

  metrics(): readonly MetricFamily[] {
    return this.#metrics.families()
  }

  async #listen(spec: ListenerSpec): Promise<void> {
    const accept = (stream: Duplex, peer: Peer): void => {
      this.#exchange.accept(stream, peer)
    }
    const onRefused = (refusal: Refusal): void => {
      this.#metrics.handshakes.add(refusal)
    }
    const { connections, strangers } = this.#exchange.limits
    // Room for those that are turned away with a count, or make room for others.
    const options = { connectionsMax: connections + strangers, log: this.#options.log, onRefused }
    this.#listeners.push(await openListener(spec, accept, options))
  }
}

const inMemory = (log: BrokerLog): OpenedBrokerStorage =>
  openBrokerStorage(':memory:', {
    onDamage: (err) => {
      log.error({ err }, 'the broker has no store any more')
    },
  })
