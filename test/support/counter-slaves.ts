import { crc16 } from '../../hardware/modbus/checksum.ts'

const REQUEST_BYTES = 8
const READ_HOLDING = 3
const EXCEPTION_BIT = 0x80
const ILLEGAL_ADDRESS = 2
const REGISTERS = 2

/** One read that a device answered. */
export interface Answered {
  readonly address: number
  readonly value: number
  /** `performance.now()` of this process when the request had come, not the gateway's clock. */
  readonly atMs: number
}

/** A port on which devices hear requests and answer. */
export interface SlavePort {
  send(bytes: Uint8Array, notBefore?: number): void
  onBytes(listener: (bytes: Uint8Array, at: number) => void): () => void
}

/**
 * Modbus RTU devices of our own, written against the standard and not with the product's code beyond its CRC: each
 * answers a read of two holding registers with how often it was read so far, and keeps a log of it.
 */
export class CounterSlaves {
  readonly log: Answered[] = []
  /** Reads of more registers than there are, answered by an exception. */
  refused = 0
  /** Addresses that are silent. */
  readonly dead = new Set<number>()
  /** Answers this much after the request, ms. */
  thinkMs = 0
  readonly #addresses: ReadonlySet<number>
  readonly #counters = new Map<number, number>()
  #heard = Buffer.alloc(0)

  constructor(addresses: Iterable<number>) {
    this.#addresses = new Set(addresses)
  }

  /** Listens on a port; returns the way to stop. */
  join(port: SlavePort): () => void {
    return port.onBytes((bytes, at) => {
      this.#heard = Buffer.concat([this.#heard, bytes]).subarray(-256)
      if (this.#heard.length < REQUEST_BYTES) return
      const frame = this.#heard.subarray(-REQUEST_BYTES)
      if (crc16(frame, 0, 6) !== frame.readUInt16LE(6)) return
      this.#heard = Buffer.alloc(0)
      const answer = this.#answer(frame)
      if (answer !== null) port.send(answer, at + this.thinkMs)
    })
  }

  #answer(request: Buffer): Buffer | null {
    const [address = 0, fn] = request
    if (!this.#addresses.has(address) || this.dead.has(address) || fn !== READ_HOLDING) return null
    const count = request.readUInt16BE(4)
    if (count > REGISTERS) {
      this.refused += 1
      return withCrc(Buffer.of(address, READ_HOLDING | EXCEPTION_BIT, ILLEGAL_ADDRESS))
    }
    // A look at one register, as of a scan, is no reading.
    const value = (this.#counters.get(address) ?? 0) + (count === REGISTERS ? 1 : 0)
    this.#counters.set(address, value)
    if (count === REGISTERS) this.log.push({ address, value, atMs: performance.now() })
    const data = Buffer.alloc(REGISTERS * 2)
    data.writeUInt32BE(value)
    return withCrc(Buffer.of(address, READ_HOLDING, count * 2, ...data.subarray(0, count * 2)))
  }
}

function withCrc(content: Buffer): Buffer {
  const crc = crc16(content)
  return Buffer.of(...content, crc & 0xff, crc >> 8)
}

/** The profile of such a device. */
export const COUNTER_PROFILE = `
profile: counter/1
protocol: modbus-rtu
line: { baud: 9600, format: 8E1 }
limits: { timeoutMs: 500, thinkMs: 5 }
channels:
  - { id: count, read: { holding: 0 }, type: uint32, order: ABCD, unit: "1" }
examples:
  - { request: "01 03 0000 0002 crc", reply: "01 03 04 0000 002A crc", values: { count: 42 } }
`

/** The same device, but its two values seem to be near enough for one read, which it refuses. */
export const SPLIT_PROFILE = `
profile: split/1
protocol: modbus-rtu
line: { baud: 9600, format: 8E1 }
limits: { timeoutMs: 500, thinkMs: 5 }
channels:
  - { id: count, read: { holding: 0 }, type: uint32, order: ABCD, unit: "1" }
  - { id: other, read: { holding: 4 }, type: uint32, order: ABCD, unit: "1" }
examples:
  - { request: "01 03 0000 0006 crc", reply: "01 03 0C 0000 002A 0000 0000 0000 0001 crc", values: { count: 42 } }
`
