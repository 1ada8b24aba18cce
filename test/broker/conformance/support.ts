import { EventEmitter, once } from 'node:events'
import { connect as dial, type Socket } from 'node:net'
import packets, { type IConnectPacket, type IPublishPacket, type Packet } from 'mqtt-packet'
import { type Broker, type BrokerPolicy, createBroker, type Principal } from '../../../broker/index.ts'

const PATIENCE_MS = 60_000
/** The memory is that of the whole process, tests and all: the bound of a gateway would be met by others. */
const LIMITS = { memoryBytes: 2 * 1024 ** 3 }

/** A broker that lets everybody do everything, but for the user `stranger` and topics below `forbidden`. */
export interface Site {
  readonly broker: Broker<Principal>
  /** A socket that has sent nothing. */
  dial(): Promise<Peer>
  /** A client whose CONNACK, with return code 0, has been taken. */
  connect(options?: Partial<IConnectPacket>): Promise<Peer>
  stop(): Promise<void>
}

export async function startSite(listen = ['tcp://127.0.0.1:0']): Promise<Site> {
  const isForbidden = (topic: string): boolean => topic === 'forbidden' || topic.startsWith('forbidden/')
  const policy: BrokerPolicy<Principal> = {
    connect: ({ username }) =>
      Promise.resolve(
        username === 'stranger'
          ? { allowed: false, because: 'bad-credentials' }
          : { allowed: true, principal: { id: 'anybody' } },
      ),
    principal: (id) => ({ id }),
    mayPublish: (_principal, { topic }) => (isForbidden(topic) ? 'quarantine' : 'allow'),
    maySubscribe: (_principal, filter) => !isForbidden(filter),
    mayReceive: () => true,
  }
  const quiet = (): void => undefined
  const log = { info: quiet, warn: quiet, error: quiet }
  const broker = createBroker({ listen, policy, log, limits: LIMITS, dollarTopics: 'ordinary' })
  await broker.start(new AbortController().signal)
  const { hostname, port } = new URL(broker.addresses()[0] ?? '')
  const peers = new Set<Peer>()
  const open = async (): Promise<Peer> => {
    const socket = dial(Number(port), hostname)
    await once(socket, 'connect')
    const peer = new Peer(socket)
    peers.add(peer)
    socket.on('close', () => peers.delete(peer))
    return peer
  }
  return {
    broker,
    dial: open,
    connect: async (options = {}) => {
      const peer = await open()
      peer.send(connectPacket(options))
      const { returnCode } = await peer.take('connack')
      if (returnCode !== 0) throw new Error(`CONNACK ${String(returnCode)}`)
      return peer
    },
    stop: async () => {
      for (const peer of peers) peer.drop()
      await broker.stop()
    },
  }
}

let names = 0
/** A name that no other test uses, as client id or first level of topics. */
export const fresh = (what = 'n'): string => `${what}${++names}`

export const connectPacket = (options: Partial<IConnectPacket> = {}): IConnectPacket => ({
  cmd: 'connect',
  protocolId: 'MQTT',
  protocolVersion: 4,
  clean: true,
  keepalive: 0,
  clientId: fresh('client'),
  ...options,
})

type Message = Partial<Pick<IPublishPacket, 'qos' | 'retain' | 'dup' | 'messageId'>>
export const publishPacket = (topic: string, text: string, more: Message = {}): IPublishPacket => ({
  cmd: 'publish',
  topic,
  payload: Buffer.from(text),
  qos: 0,
  retain: false,
  dup: false,
  ...((more.qos ?? 0) > 0 ? { messageId: 1 } : {}),
  ...more,
})
export const subscribePacket = (
  messageId: number,
  ...filters: [topic: string, qos: 0 | 1 | 2][]
): Packet => ({
  cmd: 'subscribe',
  messageId,
  subscriptions: filters.map(([topic, qos]) => ({ topic, qos })),
})

/** What a PUBLISH says, short: `topic text q1`, with `retained` and `dup` behind where they are set. */
export const said = ({ topic, payload, qos, retain, dup }: IPublishPacket): string =>
  `${topic} ${payload.toString()} q${qos}${retain ? ' retained' : ''}${dup ? ' dup' : ''}`

/** One end of a connection, which sends what it is told to and keeps what comes in its order. */
export class Peer {
  readonly socket: Socket
  readonly #seen: Packet[] = []
  /** Not the socket itself: waiting for an event of that ends with its errors, and a reset is a way to close too. */
  readonly #news = new EventEmitter()
  #isClosed = false
  #lastId = 100

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('error', () => undefined)
    const parser = packets.parser()
    parser.on('packet', (packet) => {
      this.#seen.push(packet)
    })
    parser.on('error', (error: Error) => socket.destroy(error))
    socket.on('data', (chunk: Buffer) => {
      parser.parse(chunk)
      this.#news.emit('news')
    })
    socket.on('close', () => {
      this.#isClosed = true
      this.#news.emit('news')
    })
  }

  /** Sends all in one segment. */
  send(...parts: (Packet | Buffer)[]): void {
    this.socket.write(
      Buffer.concat(parts.map((part) => (Buffer.isBuffer(part) ? part : packets.generate(part)))),
    )
  }

  /** The very next packet; null when the broker has closed the connection. */
  async next(): Promise<Packet | null> {
    const patience = AbortSignal.timeout(PATIENCE_MS)
    while (this.#seen.length === 0 && !this.#isClosed) await once(this.#news, 'news', { signal: patience })
    return this.#seen.shift() ?? null
  }

  /** The next packet, which must be of this kind; a PUBREL that is not asked for is answered on the way. */
  async take<C extends Packet['cmd']>(cmd: C): Promise<Extract<Packet, { cmd: C }>> {
    let packet = await this.next()
    while (packet?.cmd === 'pubrel' && cmd !== 'pubrel') {
      this.acknowledge(packet)
      packet = await this.next()
    }
    if (packet?.cmd !== cmd) {
      throw new Error(`${cmd} expected, came: ${packet === null ? 'the end' : JSON.stringify(packet)}`)
    }
    return packet as Extract<Packet, { cmd: C }>
  }

  /** All packets until the broker closes the connection. */
  async untilClosed(): Promise<Packet[]> {
    const all: Packet[] = []
    for (let packet = await this.next(); packet !== null; packet = await this.next()) all.push(packet)
    return all
  }

  /** Everything that was sent before has been read when this returns; gives what came before the PINGRESP. */
  async ping(): Promise<Packet[]> {
    this.send({ cmd: 'pingreq' })
    const before: Packet[] = []
    for (;;) {
      const packet = await this.next()
      if (packet === null) throw new Error('closed instead of PINGRESP')
      if (packet.cmd === 'pingresp') return before
      before.push(packet)
    }
  }

  /** Subscribes and gives the codes of the SUBACK. */
  async subscribe(...filters: [topic: string, qos: 0 | 1 | 2][]): Promise<readonly unknown[]> {
    this.send(subscribePacket(++this.#lastId, ...filters))
    return (await this.take('suback')).granted
  }

  /** Publishes and sees it through to the last acknowledgement. */
  async publish(topic: string, text: string, more: Message = {}): Promise<void> {
    const messageId = ++this.#lastId
    this.send(publishPacket(topic, text, (more.qos ?? 0) > 0 ? { ...more, messageId } : more))
    if (more.qos === 1) await this.take('puback')
    if (more.qos === 2) {
      await this.take('pubrec')
      this.send({ cmd: 'pubrel', messageId })
      await this.take('pubcomp')
    }
    if ((more.qos ?? 0) === 0) await this.ping()
  }

  /** What is delivered until this payload comes, everything acknowledged as it must be. */
  async heardUntil(text: string): Promise<string[]> {
    const heard: string[] = []
    for (;;) {
      const packet = await this.next()
      if (packet === null) throw new Error(`closed after: ${heard.join(', ')}`)
      this.acknowledge(packet)
      if (packet.cmd !== 'publish') continue
      if (packet.payload.toString() === text) return heard
      heard.push(said(packet))
    }
  }

  acknowledge(packet: Packet): void {
    const { messageId } = packet
    if (messageId === undefined) return
    if (packet.cmd === 'publish') this.send({ cmd: packet.qos === 1 ? 'puback' : 'pubrec', messageId })
    if (packet.cmd === 'pubrel') this.send({ cmd: 'pubcomp', messageId })
  }

  /** Closes as the standard wants it, and waits until the broker has closed too. */
  async leave(): Promise<void> {
    this.send({ cmd: 'disconnect' })
    await this.untilClosed()
  }

  /** Closes without a word. */
  drop(): void {
    this.socket.destroy()
  }
}
