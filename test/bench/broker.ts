import { once } from 'node:events'
import { connect as dial, createServer, type Socket } from 'node:net'
import { Aedes } from 'aedes'
import packets, { type Packet } from 'mqtt-packet'
import { LocalPolicy } from '../../agent/policy/local-policy.ts'
import { createBroker } from '../../broker/index.ts'
import { sha256 } from '../../cloud-sync/codec/index.ts'
import { GatewayId, StoredPolicySnapshot } from '../../cloud-sync/contract/index.ts'
import type { Bench } from '../support/harness.ts'

const RUNS = 3
const MESSAGES = 20_000
const AT_ONCE = 50
const SUBSCRIBERS = 4
const DEVICES = 50
const PAYLOAD = Buffer.alloc(200, 'x')
const KEY = 'key'

const topicOf = (n: number): string => `headgate/GW-1/d${n % DEVICES}/main/readings`

const snapshot = StoredPolicySnapshot.parse({
  v: 1,
  gateway: 'GW-1',
  version: 1,
  issuedAt: 0,
  gatewayOrg: 'acme',
  organisations: [{ id: 'acme', name: 'acme' }],
  members: [{ org: 'acme', name: 'ana', role: 'owner', incarnation: 1 }],
  keys: [{ org: 'acme', name: 'scada', member: 'ana', hash: sha256(Buffer.from(KEY)) }],
  devices: Array.from({ length: DEVICES }, (_, n) => ({
    id: `d${n}`,
    org: 'acme',
    ownerEpoch: 1,
    custodian: null,
    workspace: null,
  })),
  shares: [],
  critical: [],
})

interface Running {
  readonly port: number
  publish(topic: string): Promise<void>
  stop(): Promise<void>
}

async function ours(): Promise<Running> {
  const policy = new LocalPolicy({
    gateway: GatewayId.parse('GW-1'),
    anonymous: 'none',
    when: () => ({ place: 'gateway', at: 1, signed: true }),
  })
  policy.apply(snapshot)
  const quiet = (): void => undefined
  const broker = createBroker({
    listen: ['tcp://127.0.0.1:0'],
    policy,
    log: { info: quiet, warn: quiet, error: quiet },
  })
  await broker.start(new AbortController().signal)
  return {
    port: Number(new URL(broker.addresses()[0] ?? '').port),
    publish: (topic) => broker.publish({ topic, payload: PAYLOAD, qos: 0, retain: true }),
    stop: () => broker.stop(),
  }
}

/** aedes as it comes: everybody gets everything. */
async function bare(): Promise<Running> {
  const aedes = await Aedes.createBroker()
  const server = createServer(aedes.handle)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    publish: (topic) =>
      new Promise((resolve, reject) => {
        const packet = { cmd: 'publish', topic, payload: PAYLOAD, qos: 0, retain: true, dup: false } as const
        aedes.publish(packet, (error) => {
          if (error) reject(error)
          else resolve()
        })
      }),
    stop: async () => {
      await new Promise<void>((resolve) => {
        aedes.close(resolve)
      })
      server.close()
    },
  }
}

/** A subscriber to everything that only counts its bytes. */
async function subscriber(port: number, id: number): Promise<{ socket: Socket; bytes: () => number }> {
  const socket = dial(port, '127.0.0.1')
  await once(socket, 'connect')
  const send = (packet: Packet): void => void socket.write(packets.generate(packet))
  const login = { username: 'acme:scada', password: Buffer.from(KEY) }
  const version = { protocolId: 'MQTT', protocolVersion: 4 } as const
  send({ cmd: 'connect', clientId: `s${id}`, clean: true, keepalive: 0, ...version, ...login })
  await once(socket, 'data')
  send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'headgate/#', qos: 0 }] })
  await once(socket, 'data')
  let bytes = 0
  socket.on('data', (chunk: Buffer) => (bytes += chunk.length))
  return { socket, bytes: () => bytes }
}

/** Messages a second from the first publish to the last byte at the last subscriber. */
async function measure(running: Running): Promise<number> {
  const subscribers = await Promise.all(
    Array.from({ length: SUBSCRIBERS }, (_, id) => subscriber(running.port, id)),
  )
  const topics = Array.from({ length: MESSAGES }, (_, n) => topicOf(n))
  const expected = topics.reduce((sum, topic) => sum + sizeOf(topic), 0)
  const began = performance.now()
  for (let first = 0; first < MESSAGES; first += AT_ONCE) {
    await Promise.all(topics.slice(first, first + AT_ONCE).map((topic) => running.publish(topic)))
  }
  while (subscribers.some(({ bytes }) => bytes() < expected)) {
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const seconds = (performance.now() - began) / 1000
  for (const { socket } of subscribers) socket.destroy()
  await running.stop()
  return MESSAGES / seconds
}

const sizeOf = (topic: string): number =>
  packets.generate({ cmd: 'publish', topic, payload: PAYLOAD, qos: 0, retain: false, dup: false }).length

export const bench: Bench = {
  what: 'Messages a second through the gateway’s broker, every delivery asked, beside aedes as it comes.',
  async run(progress) {
    const bareRuns: number[] = []
    const askedRuns: number[] = []
    for (let run = 1; run <= RUNS; run += 1) {
      progress(`run ${run} of ${RUNS}`)
      bareRuns.push(await measure(await bare()))
      askedRuns.push(await measure(await ours()))
    }
    const [barePerSecond, askedPerSecond] = [Math.max(...bareRuns), Math.max(...askedRuns)]
    return {
      messages: MESSAGES,
      subscribers: SUBSCRIBERS,
      barePerSecond: Math.round(barePerSecond),
      askedPerSecond: Math.round(askedPerSecond),
      askedOverBare: askedPerSecond / barePerSecond,
    }
  },
}
