import packets from 'mqtt-packet'
import { encodeAck, encodePublish, PacketReader } from '../../broker/wire/index.ts'
import type { Bench } from '../support/harness.ts'

const RUNS = 7
const MESSAGES = 50_000
const DEVICES = 50
const CHUNK_BYTES = 64 * 1024
const PAYLOAD = Buffer.alloc(64, 'x')
const LIMITS = { connectBytesMax: 16 * 1024, packetBytesMax: 256 * 1024 }

const login = packets.generate({
  cmd: 'connect',
  clientId: 'bench',
  clean: true,
  keepalive: 0,
  protocolId: 'MQTT',
  protocolVersion: 4,
})
const publish = (n: number, qos: 0 | 1) =>
  ({
    cmd: 'publish',
    topic: `headgate/GW-1/d${n % DEVICES}/main/readings`,
    payload: PAYLOAD,
    qos,
    retain: false,
    dup: false,
    messageId: 1 + (n % 65_535),
  }) as const

/** Chunks as a socket gives them under load. */
function chunksOf(make: (n: number) => Buffer): Buffer[] {
  const bytes = Buffer.concat(Array.from({ length: MESSAGES }, (_, n) => make(n)))
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    chunks.push(Buffer.from(bytes.subarray(at, at + CHUNK_BYTES)))
  }
  return chunks
}

/** Nanoseconds of CPU time for each packet. */
function timed(work: () => number): number {
  const before = process.cpuUsage()
  const done = work()
  const { user, system } = process.cpuUsage(before)
  if (done !== MESSAGES) throw new Error(`${done} of ${MESSAGES} packets`)
  return ((user + system) * 1000) / done
}

function readOurs(chunks: readonly Buffer[]): number {
  const reader = new PacketReader(LIMITS)
  reader.push(login)
  reader.next()
  let count = 0
  for (const chunk of chunks) {
    reader.push(chunk)
    while (reader.next() !== null) count += 1
  }
  return count
}

function readTheirs(chunks: readonly Buffer[]): number {
  const parser = packets.parser()
  let count = -1
  parser.on('packet', () => (count += 1))
  parser.parse(login)
  for (const chunk of chunks) parser.parse(chunk)
  return count
}

function written(write: (n: number) => Buffer): number {
  let count = 0
  for (let n = 0; n < MESSAGES; n += 1) count += write(n).length > 0 ? 1 : 0
  return count
}

/** Both sides in turn; the least of all runs, since everything else on the machine only adds. */
function compared(ours: () => number, theirs: () => number): { ours: number; theirs: number; ratio: number } {
  const least = { ours: Number.POSITIVE_INFINITY, theirs: Number.POSITIVE_INFINITY }
  for (let run = 0; run < RUNS; run += 1) {
    least.ours = Math.min(least.ours, timed(ours))
    least.theirs = Math.min(least.theirs, timed(theirs))
  }
  return {
    ours: Math.round(least.ours),
    theirs: Math.round(least.theirs),
    ratio: Number((least.theirs / least.ours).toFixed(1)),
  }
}

export const bench: Bench = {
  what: 'CPU nanoseconds for a packet with a payload of 64 bytes, read and written, beside mqtt-packet.',
  async run(progress) {
    const qos0 = chunksOf((n) => encodePublish(publish(n, 0)))
    const qos1 = chunksOf((n) => encodePublish(publish(n, 1)))
    const acks = chunksOf((n) => encodeAck('puback', 1 + (n % 65_535)))
    const read = (chunks: readonly Buffer[]) =>
      compared(
        () => readOurs(chunks),
        () => readTheirs(chunks),
      )
    progress('reading')
    const reading = { publishQos0: read(qos0), publishQos1: read(qos1), puback: read(acks) }
    progress('writing')
    const writing = {
      publishQos1: compared(
        () => written((n) => encodePublish(publish(n, 1))),
        () => written((n) => packets.generate(publish(n, 1))),
      ),
    }
    return { messages: MESSAGES, reading, writing }
  },
}
