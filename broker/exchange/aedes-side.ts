import { Readable } from 'node:stream'
import type { Aedes, Client } from 'aedes'
import type { MessageStore } from '../persistence/index.ts'
import { dialogueOf } from './dialogue.ts'

const RESERVED = '$SYS/'

interface Will {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
}

/**
 * What aedes asks of its store, as far as it is left to it: wills. Sessions, queues, retained messages and half-done
 * QoS 2 messages are taken care of where messages are, so there is nothing here to restore.
 */
export class AedesStore {
  readonly #store: MessageStore
  /** Whose will is stored under a client id. */
  readonly #owners = new Map<string, Client>()

  constructor(store: MessageStore) {
    this.#store = store
  }

  /** aedes looks whether this is an async function. */
  async setup(): Promise<void> {
    await Promise.resolve()
  }

  readonly storeRetained = (): Promise<void> => Promise.resolve()
  readonly subscriptionsByClient = (): Promise<[]> => Promise.resolve([])
  readonly subscriptionsByTopic = (): Promise<[]> => Promise.resolve([])
  readonly cleanSubscriptions = (): Promise<void> => Promise.resolve()
  readonly cleanIncoming = (): Promise<void> => Promise.resolve()
  readonly outgoingEnqueueCombi = (): Promise<void> => Promise.resolve()
  readonly outgoingStream = (): Readable => Readable.from([])

  putWill(client: Client, will: Will): Promise<void> {
    if (client.closed) return Promise.resolve()
    const { topic, payload, qos, retain } = will
    // Whose it is is asked again when it is published.
    const extra = dialogueOf(client)?.principal?.id ?? ''
    this.#store.putWill(client.id, { topic, payload: Buffer.from(payload), qos, retain, extra })
    this.#owners.set(client.id, client)
    return Promise.resolve()
  }

  /**
   * Does not say whose will: aedes stores that of a connection before it closes the one whose client id it takes over,
   * so only the will of a client that is closed goes.
   */
  delWill({ id }: { readonly id: string }): Promise<void> {
    const owner = this.#owners.get(id)
    if (owner?.closed === true) this.forget(owner)
    return Promise.resolve()
  }

  /** Drops the stored will of this client, where there is one. */
  forget(client: Client): void {
    if (this.#owners.get(client.id) !== client) return
    this.#owners.delete(client.id)
    this.#store.dropWill(client.id)
  }

  /**
   * Always empty. aedes publishes what comes here as wills of dead brokers, and takes the living one for dead when the
   * wall clock jumps forward.
   */
  readonly streamWill = (): Readable => Readable.from([])
}

/** aedes also registers a client that was closed since its login, and then nobody takes it out again. */
export function unregisterClosed(aedes: Aedes, client: Client): void {
  if (client.closed) (aedes as unknown as WithRegister).unregisterClient(client)
}

interface WithRegister {
  unregisterClient(client: Client): void
}

interface Emitted {
  readonly topic: string
  readonly payload: string | Buffer
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
}

/** Where aedes sends what it publishes: wills come through, its talk with itself ends here. */
export class AedesEmitter {
  readonly #publish: (message: Will) => void
  readonly current = 0

  constructor(publish: (message: Will) => void) {
    this.#publish = publish
  }

  emit({ topic, payload, qos, retain }: Emitted, done?: () => void): void {
    if (!topic.startsWith(RESERVED)) this.#publish({ topic, payload: Buffer.from(payload), qos, retain })
    done?.()
  }

  on(_topic: string, _listener: unknown, done?: () => void): void {
    done?.()
  }

  removeListener(_topic: string, _listener: unknown, done?: () => void): void {
    done?.()
  }

  close(done: () => void): void {
    done()
  }
}
