import { connect, type Socket } from 'node:net'
import {
  CONNACK,
  type ConnectFields,
  connectPacket,
  DISCONNECT_PACKET,
  PacketSplitter,
  type Seen,
  SUBACK,
  subscribePacket,
} from './mqtt-bytes.ts'

const ANSWER_MS_MAX = 60_000

/** A packet with its body copied: it may be kept. */
export interface Packet {
  readonly type: number
  readonly flags: number
  readonly body: Buffer
}

/** The broker closed the connection, or did not answer in time. */
export class NoAnswer extends Error {}

/** A socket that sends whatever it is told to and shows what comes, with no opinion of its own. */
export class RawClient {
  readonly socket: Socket
  /** Sees every packet that nobody waits for. */
  onPacket: (seen: Seen) => void = () => undefined
  /** Called after each read, when all its packets have been shown: the place to answer many at once. */
  afterRead: () => void = () => undefined
  readonly #waiting = new Map<number, (packet: Packet | undefined) => void>()

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const splitter = new PacketSplitter((seen) => {
      this.#show(seen)
    })
    this.socket.on('data', (chunk: Buffer) => {
      splitter.take(chunk)
      this.afterRead()
    })
    // What a broken connection means is judged by whoever waits for something on it.
    this.socket.on('error', () => undefined)
    this.socket.on('close', () => {
      for (const resolve of this.#waiting.values()) resolve(undefined)
    })
  }

  /** A connection that is logged in and has a session of its own for as long as it lasts. @throws NoAnswer */
  static clean(port: number, clientId: string): Promise<RawClient> {
    return RawClient.open(port, { clientId })
  }

  /** A connection that is logged in. @throws NoAnswer */
  static async open(port: number, fields: ConnectFields): Promise<RawClient> {
    const client = new RawClient(port)
    try {
      await client.logIn(fields)
      return client
    } catch (error) {
      client.destroy()
      throw error
    }
  }

  /** Logs in; whether the broker knew the session. @throws NoAnswer, also where the CONNACK refuses */
  async logIn(fields: ConnectFields): Promise<boolean> {
    this.send(connectPacket(fields))
    const [present = 0, code = 255] = (await this.answer(CONNACK)).body
    if (code !== 0) throw new NoAnswer(`CONNACK ${code}`)
    return (present & 1) === 1
  }

  get isOpen(): boolean {
    return !this.socket.destroyed
  }

  send(...packets: readonly Uint8Array[]): void {
    if (packets.length > 0 && this.isOpen) this.socket.write(Buffer.concat(packets))
  }

  /** Subscribes; the return codes. */
  async subscribe(filters: readonly string[], qos: 0 | 1 | 2): Promise<number[]> {
    this.send(subscribePacket(1, filters, qos))
    return [...(await this.answer(SUBACK)).body.subarray(2)]
  }

  /** The next packet of this type; `onPacket` does not see it. @throws NoAnswer */
  answer(type: number): Promise<Packet> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new NoAnswer(`no packet of type ${type} within ${ANSWER_MS_MAX} ms`))
      }, ANSWER_MS_MAX)
      this.#waiting.set(type, (packet) => {
        clearTimeout(timer)
        this.#waiting.delete(type)
        if (packet === undefined) reject(new NoAnswer('the connection was closed'))
        else resolve(packet)
      })
      if (!this.isOpen) this.#waiting.get(type)?.(undefined)
    })
  }

  /** Resolves when the connection is closed, by whomever; false where it is still open after so long. */
  closed(withinMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      if (this.socket.closed) resolve(true)
      const timer = setTimeout(() => {
        resolve(false)
      }, withinMs)
      this.socket.once('close', () => {
        clearTimeout(timer)
        resolve(true)
      })
    })
  }

  /** Leaves as the protocol wants it. */
  async leave(): Promise<void> {
    this.socket.end(DISCONNECT_PACKET)
    if (!(await this.closed(ANSWER_MS_MAX))) this.destroy()
  }

  /** Breaks the connection. */
  destroy(): void {
    this.socket.destroy()
  }

  #show(seen: Seen): void {
    const waiting = this.#waiting.get(seen.type)
    if (waiting === undefined) this.onPacket(seen)
    else {
      const { type, flags, bytes, start, end } = seen
      waiting({ type, flags, body: Buffer.from(bytes.subarray(start, end)) })
    }
  }
}

/** Waits until it is true; false where it is not by then. */
export async function untilTrue(isTrue: () => boolean, withinMs = ANSWER_MS_MAX): Promise<boolean> {
  const deadline = performance.now() + withinMs
  while (!isTrue()) {
    if (performance.now() > deadline) return false
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return true
}
