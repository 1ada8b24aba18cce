import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type MqttClient } from 'mqtt'
import { AgentError } from '../../errors.ts'

/** A local program of one organisation: subscribes to everything and notes what it is given. */
export interface Watcher {
  readonly organisation: string
  start(): Promise<void>
  stop(): Promise<void>
  /** Goes away without a word, its session stays; comes back with the same session. */
  away(): Promise<void>
  /** How many messages came on each topic since the start. */
  received(): ReadonlyMap<string, number>
  /** Forgets the counts, e.g. after a share was revoked. */
  forget(): void
}

export interface WatcherOptions {
  readonly organisation: string
  /** Name of its API key. */
  readonly name: string
  readonly key: string
  /** Address of the gateway's broker, `mqtt://HOST:PORT`. */
  readonly url: () => string
}

const CONNECT_MS_MAX = 30_000

/** A client with a persistent session and the filter `#`. */
export function createWatcher(options: WatcherOptions): Watcher {
  const counts = new Map<string, number>()
  let client: MqttClient | undefined
  const login = async (): Promise<void> => {
    client = connect(options.url(), {
      clientId: `demo-${options.organisation}`,
      clean: false,
      username: `${options.organisation}:${options.name}`,
      password: options.key,
      reconnectPeriod: 500,
      // Until the first snapshot is there nobody may log in, and the gateway is killed on purpose.
      reconnectOnConnackError: true,
      resubscribe: true,
    })
    client.on('message', (topic) => counts.set(topic, (counts.get(topic) ?? 0) + 1))
    client.on('error', () => undefined)
    const until = Date.now() + CONNECT_MS_MAX
    while (!client.connected) {
      if (Date.now() > until)
        throw new AgentError('INTERNAL', `${options.organisation}'s client found no way in`)
      await sleep(50)
    }
    await client.subscribeAsync('#', { qos: 1 })
  }
  return {
    organisation: options.organisation,
    start: login,
    async stop() {
      await client?.endAsync(true)
    },
    async away() {
      await client?.endAsync(true)
      client = undefined
    },
    received: () => counts,
    forget: () => {
      counts.clear()
    },
  }
}
