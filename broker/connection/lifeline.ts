import { Duplex } from 'node:stream'
import type { Client } from 'aedes'
import type { ConnectPacket, DisconnectPacket } from '../wire/index.ts'

/** What of an aedes client is not in its types: its parser, which here gets packets instead of bytes. */
interface WithParser {
  readonly _parser: { parse: (given: unknown) => number; emit(event: 'packet', packet: unknown): boolean }
}

/**
 * What aedes holds in its hand instead of a socket. It gets CONNECT and DISCONNECT as packets that have been read and
 * checked already, and what it writes (a CONNACK) is not sent as bytes: the connection writes its own when aedes says
 * it has. When either side goes, both go.
 */
export class Lifeline extends Duplex {
  readonly #onGone: () => void

  constructor(onGone: () => void) {
    super({ readableObjectMode: true, emitClose: true })
    this.#onGone = onGone
  }

  /** Makes aedes' new client for this lifeline take packets as they are. */
  attach(client: Client): void {
    const { _parser: parser } = client as unknown as WithParser
    parser.parse = (packet) => {
      parser.emit('packet', packet)
      return 0
    }
  }

  give(packet: ConnectPacket | DisconnectPacket): void {
    // The keepalive is watched by the connection, which sees the packets that aedes does not.
    this.push(packet.cmd === 'connect' ? { ...packet, keepalive: 0 } : packet)
  }

  override _read(): void {
    // Packets come when the peer sends them.
  }

  override _write(_chunk: Uint8Array, _encoding: string, done: () => void): void {
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#onGone()
    done(error)
  }
}
