import { once } from 'node:events'
import { connect as dial, type Socket } from 'node:net'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import packets, { type Packet } from 'mqtt-packet'
import {
  type Broker,
  type BrokerOptions,
  type BrokerPolicy,
  createBroker,
  type Principal,
} from '../../broker/index.ts'

/** A principal named by its user name, and a policy that is three tables of `name topic` with MQTT wildcards. */
export interface Rules {
  /** `name filter` pairs. */
  readonly publish: string[]
  readonly subscribe: string[]
  readonly receive: string[]
}

export interface Bench {
  readonly broker: Broker<Principal>
  readonly rules: Rules
  readonly url: string
  /** Connects with MQTT.js; rejects where the CONNACK refuses. */
  client(options: IClientOptions & { username: string }): Promise<TestClient>
  stop(): Promise<void>
}

/** A client that remembers what it received as `topic payload`. */
export interface TestClient {
  readonly mqtt: MqttClient
  readonly received: string[]
}

const allows = (table: readonly string[], name: string, topic: string): boolean =>
  table.some((rule) => {
    const [who = '', prefix = ''] = rule.split(' ')
    return who === name && (prefix === '#' || topic === prefix || topic.startsWith(`${prefix}/`))
  })

/** A started broker on a free port whose policy is `rules`; change them while it runs. */
export async function startBench(
  rules: Partial<Rules> = {},
  more: Partial<BrokerOptions<Principal>> = {},
): Promise<Bench> {
  const table: Rules = { publish: [], subscribe: [], receive: [], ...rules }
  const policy: BrokerPolicy<Principal> = {
    connect: ({ username, password }) =>
      Promise.resolve(
        username !== null && Buffer.from(password ?? []).toString() === 'right'
          ? { allowed: true, principal: { id: username } }
          : { allowed: false, because: 'bad-credentials' },
      ),
    principal: (id) => ({ id }),
    mayPublish: ({ id }, { topic }) => (allows(table.publish, id, topic) ? 'allow' : 'quarantine'),
    maySubscribe: ({ id }, filter) => allows(table.subscribe, id, filter),
    mayReceive: ({ id }, topic) => allows(table.receive, id, topic),
  }
  const quiet = (): void => undefined
  const log = { info: quiet, warn: quiet, error: quiet }
  const broker = createBroker({ listen: ['tcp://127.0.0.1:0'], policy, log, ...more })
  await broker.start(new AbortController().signal)
  const url = broker.addresses()[0] ?? ''
  const clients: MqttClient[] = []
  return {
    broker,
    rules: table,
    url,
    client: async (options) => {
      const client = mqtt.connect(url, { password: 'right', reconnectPeriod: 0, ...options })
      const received: string[] = []
      // Before the CONNACK: what follows it may come in the same chunk.
      client.on('message', (topic, payload) => received.push(`${topic} ${payload.toString()}`))
      await connected(client)
      clients.push(client)
      return { mqtt: client, received }
    },
    stop: async () => {
      await Promise.all(clients.map((client) => client.endAsync(true)))
      await broker.stop()
    },
  }
}

/** Rejects where the connection is refused or lost before it is one. */
const connected = (client: MqttClient): Promise<void> =>
  new Promise((resolve, reject) => {
    client.once('connect', () => {
      resolve()
    })
    client.on('error', reject)
    client.once('close', () => {
      reject(new Error('Connection closed'))
    })
  })

/** A socket that speaks whatever packets it is told to. */
export interface RawClient {
  readonly socket: Socket
  send(packet: Packet): void
  /** The next packet of this kind. */
  next(cmd: Packet['cmd']): Promise<Packet>
  /** What comes is thrown away unread. */
  ignoreAnswers(): void
}

export async function rawClient(url: string): Promise<RawClient> {
  const { hostname, port } = new URL(url)
  const socket = dial(Number(port), hostname)
  await once(socket, 'connect')
  socket.on('error', () => undefined)
  const parser = packets.parser()
  const seen: Packet[] = []
  parser.on('packet', (packet) => {
    seen.push(packet)
    socket.emit('mqtt')
  })
  socket.on('data', (chunk: Buffer) => parser.parse(chunk))
  return {
    socket,
    ignoreAnswers: () => {
      socket.removeAllListeners('data').resume()
    },
    send: (packet) => socket.write(packets.generate(packet)),
    next: async (cmd) => {
      for (;;) {
        const at = seen.findIndex((packet) => packet.cmd === cmd)
        const [found] = at === -1 ? [] : seen.splice(at, 1)
        if (found !== undefined) return found
        await once(socket, 'mqtt', { signal: AbortSignal.timeout(60_000) })
      }
    },
  }
}

/** Waits until it is true. */
export async function until(isTrue: () => boolean, timeoutMs = 60_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${isTrue.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/**
 * Proves an absence: everything published before the marker has been delivered when the marker arrives, because a
 * connection delivers in order.
 */
export async function afterMarker(bench: Bench, ...clients: TestClient[]): Promise<void> {
  const payload = Buffer.from(String(markers++))
  await bench.broker.publish({ topic: 'marker', payload, qos: 0, retain: false })
  for (const client of clients) await until(() => client.received.includes(`marker ${payload.toString()}`))
}
let markers = 1
