import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  ackPacket,
  CONNACK,
  connectPacket,
  PacketSplitter,
  PUBACK,
  PUBLISH,
  qosOf,
  type Seen,
  idOf,
  SUBACK,
  subscribePacket,
} from '../../support/mqtt-bytes.ts'
import { cpuSeconds } from '../../support/process-figures.ts'
import type { Load, LoadReport } from './load.ts'
import { Publisher } from './publisher.ts'
import { Subscriber } from './subscriber.ts'

const TOPIC = 'load/gateway-1/device-12/temperature-3/readings'
const TICK_MS = 4
/** A message that has not come by then was dropped: the window does not wait for it any more. */
const GIVEN_UP_MS = 250
const SETTLED_MS = 1_500

const load = JSON.parse(process.argv[2] ?? '') as Load
const publishers: Publisher[] = []
const subscribers: Subscriber[] = []
let running = true
/** Messages that the window counts as arrived though nobody has them. */
let givenUp = 0

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const sent = (): number => sum(publishers.map((one) => one.sent))
const acknowledged = (): number => sum(publishers.map((one) => one.acknowledged))
const fewest = (): number => Math.min(...subscribers.map(({ received }) => received))

interface Handlers {
  onPacket(seen: Seen): void
  /** Called after each read, when all its packets have been shown. */
  afterChunk(): void
}

/** Opens a connection and logs in; `answered` waits for a packet of this type, which its handlers do not see. */
async function open(
  clientId: string,
  clean: boolean,
  handlersOf: (socket: Socket) => Handlers,
): Promise<{ socket: Socket; answered: (type: number) => Promise<void> }> {
  const socket = connect({ port: load.port, host: '127.0.0.1', noDelay: true })
  const handlers = handlersOf(socket)
  const waiting = new Map<number, () => void>()
  const splitter = new PacketSplitter((seen) => {
    const waiter = waiting.get(seen.type)
    waiting.delete(seen.type)
    if (waiter === undefined) handlers.onPacket(seen)
    else waiter()
  })
  const answered = (type: number): Promise<void> =>
    new Promise((resolve) => {
      waiting.set(type, resolve)
    })
  socket.on('data', (chunk: Buffer) => {
    splitter.take(chunk)
    handlers.afterChunk()
  })
  socket.on('close', () => {
    if (running) throw new Error(`the broker closed the connection of ${clientId}`)
  })
  socket.on('error', () => undefined)
  socket.write(connectPacket({ clientId, clean }))
  await answered(CONNACK)
  return { socket, answered }
}

async function openSubscriber(at: number): Promise<void> {
  const subscriber = new Subscriber(load.publishers)
  const { socket, answered } = await open(`load-sub-${at}`, !load.persistent, (own) => {
    let acks: number[] = []
    return {
      onPacket: (seen) => {
        if (seen.type !== PUBLISH) return
        subscriber.see(seen)
        if (qosOf(seen) === 1) acks.push(idOf(seen))
      },
      afterChunk: () => {
        if (acks.length > 0) own.write(Buffer.concat(acks.map((id) => ackPacket(PUBACK, id))))
        acks = []
        if (load.qos === 0) pumpAll()
      },
    }
  })
  socket.write(subscribePacket(1, ['load/#'], load.qos))
  await answered(SUBACK)
  subscribers.push(subscriber)
}

async function openPublisher(index: number): Promise<void> {
  const { qos, payloadBytes } = load
  await open(`load-pub-${index}`, true, (socket) => {
    const publisher = new Publisher(socket, { index, topic: TOPIC, qos, payloadBytes })
    publishers.push(publisher)
    socket.on('drain', () => {
      pump(publisher)
    })
    return {
      onPacket: ({ type }) => {
        if (type === PUBACK) publisher.acknowledged += 1
      },
      afterChunk: () => {
        if (load.qos === 1) pump(publisher)
      },
    }
  })
}

let begunAt = 0
/** Messages that the rate allows now, for all publishers together. */
function due(): number {
  if (load.rate === undefined) return Infinity
  return ((performance.now() - begunAt) / 1000) * load.rate - sent()
}

/** What fits the windows and the rate. */
function pump(publisher: Publisher): void {
  for (;;) {
    if (!running || begunAt === 0) return
    const underWay =
      load.qos === 1
        ? publisher.sent - publisher.acknowledged
        : (sent() - fewest() - givenUp) / load.publishers
    const room = Math.min(Math.floor(load.window - underWay), Math.ceil(due() / load.publishers))
    if (room <= 0 || publisher.send(room) === 0) return
  }
}

function pumpAll(): void {
  for (const publisher of publishers) pump(publisher)
}

/** Goes on where messages of QoS 0 were dropped, and keeps the rate. */
function startTicking(): NodeJS.Timeout {
  let seen = 0
  let seenAt = performance.now()
  return setInterval(() => {
    if (fewest() !== seen) {
      seen = fewest()
      seenAt = performance.now()
    } else if (performance.now() - seenAt > GIVEN_UP_MS) givenUp = sent() - fewest()
    pumpAll()
  }, TICK_MS)
}

/** Waits until everything has come and is acknowledged, or nothing comes any more. */
async function settle(): Promise<void> {
  const seen = (): number => fewest() + acknowledged()
  const isDone = (): boolean => fewest() >= sent() && (load.qos === 0 || acknowledged() >= sent())
  for (let before = -1; !isDone() && seen() !== before; ) {
    before = seen()
    for (let waited = 0; waited < SETTLED_MS && !isDone(); waited += 10) await sleep(10)
  }
}

async function measure(): Promise<LoadReport> {
  for (let at = 0; at < load.subscribers; at += 1) await openSubscriber(at)
  for (let at = 0; at < load.publishers; at += 1) await openPublisher(at)
  begunAt = performance.now()
  const ticking = startTicking()
  pumpAll()
  await sleep(load.warmSeconds * 1000)
  for (const subscriber of subscribers) subscriber.begin()
  const from = { at: performance.now(), cpu: cpuSeconds(load.pid), received: fewest(), acks: acknowledged() }
  process.send?.('warm')
  await sleep(load.seconds * 1000, undefined, { signal: stopping.signal }).catch(() => undefined)
  const seconds = (performance.now() - from.at) / 1000
  const cpu = cpuSeconds(load.pid) - from.cpu
  const received = fewest() - from.received
  const acks = acknowledged() - from.acks
  const longestGapMs = Math.max(...subscribers.map((one) => one.longestGapMs))
  const worst = (share: number): number =>
    Math.max(...subscribers.map(({ latencies }) => latencies.quantile(share)))
  const latencyMs = { p50: worst(0.5), p99: worst(0.99), max: worst(1) }
  clearInterval(ticking)
  begunAt = 0
  await settle()
  running = false
  const verdicts = subscribers.map((one) => one.judge(publishers.map((publisher) => publisher.sent)))
  return {
    sent: sent(),
    acknowledged: acknowledged(),
    rate: Math.round(received / seconds),
    acksPerSecond: Math.round(acks / seconds),
    cpuSeconds: cpu,
    perCpuSecond: Math.round(received / Math.max(cpu, 0.01)),
    latencyMs,
    longestGapMs,
    lost: sum(verdicts.map(({ lost }) => lost)),
    doubled: sum(verdicts.map(({ doubled }) => doubled)),
    disordered: sum(verdicts.map(({ disordered }) => disordered)),
  }
}

const stopping = new AbortController()
for (const event of ['message', 'disconnect']) {
  process.once(event, () => {
    stopping.abort()
  })
}
const report = await measure()
process.send?.(report, undefined, undefined, () => process.exit())
