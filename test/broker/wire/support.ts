import { type InPacket, PacketReader, WireFault } from '../../../broker/wire/index.ts'

export const LIMITS = { connectBytesMax: 16 * 1024, packetBytesMax: 256 * 1024 }

/** Bytes written as hex, spaces allowed. */
export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** A field of section 1.5.3: its length, then its bytes. */
export function field(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes])
}

/** One packet: first byte, remaining length, what follows. */
export function packet(first: number, ...parts: (Buffer | number[])[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)))
  const length: number[] = []
  let left = body.length
  do {
    const low = left % 128
    left = Math.floor(left / 128)
    length.push(left > 0 ? low | 0x80 : low)
  } while (left > 0)
  return Buffer.concat([Buffer.from([first, ...length]), body])
}

export const CONNECT = packet(0x10, field('MQTT'), [4, 2, 0, 0], field('id'))
export const CONNECT_3_1 = packet(0x10, field('MQIsdp'), [3, 2, 0, 0], field('id'))

/** What a reader made of a stream: its packets, then perhaps a fault. */
export interface Reading {
  readonly packets: InPacket[]
  readonly fault: WireFault | null
  /** Most bytes that waited after all packets were taken. */
  readonly waitingMax: number
}

/** Reads chunks as a connection does: push one, take all. Anything but a WireFault is thrown on. */
export function read(chunks: readonly Buffer[], limits = LIMITS): Reading {
  const reader = new PacketReader(limits)
  const taken: InPacket[] = []
  let waitingMax = 0
  try {
    for (const chunk of chunks) {
      reader.push(chunk)
      for (let next = reader.next(); next !== null; next = reader.next()) taken.push(next)
      waitingMax = Math.max(waitingMax, reader.waiting)
    }
  } catch (error) {
    if (!(error instanceof WireFault)) throw error
    return { packets: taken, fault: error, waitingMax: Math.max(waitingMax, reader.waiting) }
  }
  return { packets: taken, fault: null, waitingMax }
}

/** The same bytes cut into pieces of this size. */
export function cut(bytes: Buffer, size: number): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) pieces.push(Buffer.from(bytes.subarray(at, at + size)))
  return pieces
}
