import { isDeepStrictEqual } from 'node:util'
import packets, { type Packet } from 'mqtt-packet'
import { expect, test } from 'vitest'
import type { InPacket } from '../../../broker/wire/index.ts'
import { seeded } from '../../support/delivery-world.ts'
import { CONNECT, CONNECT_3_1, field, hex, packet, type Reading, read } from './support.ts'

const STREAMS = 30_000
const PACKETS_MAX = 6
const MUTATIONS_MAX = 4
const LIMITS = { connectBytesMax: 200, packetBytesMax: 400 }
/** A fixed header of which the length is not whole, or a whole one and all of its packet but a byte. */
const WAITING_MAX = 5 + LIMITS.packetBytesMax

const connects = [
  CONNECT,
  CONNECT,
  CONNECT_3_1,
  packet(
    0x10,
    field('MQTT'),
    [4, 0xec, 0, 9],
    field('é'),
    field('w/t'),
    field('x'),
    field('ana'),
    field('pw'),
  ),
]
const others = [
  packet(0x30, field('a/b'), Buffer.from('zero')),
  packet(0x3b, field('ä/€/💧'), [0, 7], Buffer.alloc(200, 'x')),
  packet(0x34, field('\ufeffa'), [1, 0]),
  packet(0x40, [0, 1]),
  packet(0x50, [0, 2]),
  packet(0x62, [0, 3]),
  packet(0x70, [0xff, 0xff]),
  packet(0x82, [0, 4], field('a/+/#'), [2], field('+'), [0], field('$share/g/a'), [1]),
  packet(0xa2, [0, 5], field('a/+/#'), field('b')),
  packet(0xc0),
  hex('c0 80 00'),
  packet(0xe0),
]

function oneOf<T>(list: readonly T[], random: () => number): T {
  const one = list[Math.floor(random() * list.length)]
  if (one === undefined) throw new Error('nothing to choose from')
  return one
}

/** A byte changed, taken out, put in, a bit turned, a piece doubled, the rest cut off. */
function mutate(bytes: Buffer, random: () => number): Buffer {
  const at = Math.floor(random() * bytes.length)
  const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)]
  const some = Buffer.from([Math.floor(random() * 256)])
  const turned = Buffer.from([(tail[0] ?? 0) ^ (1 << Math.floor(random() * 8))])
  return Buffer.concat(
    oneOf(
      [
        [head, some, tail.subarray(1)],
        [head, turned, tail.subarray(1)],
        [head, turned, tail.subarray(1)],
        [head, tail.subarray(1)],
        [head, some, tail],
        [head, tail.subarray(0, 8), tail],
        [head],
      ],
      random,
    ),
  )
}

function makeStream(random: () => number): Buffer {
  const parts = [oneOf(connects, random)]
  for (let n = 1 + Math.floor(random() * PACKETS_MAX); n > 0; n -= 1) parts.push(oneOf(others, random))
  let bytes: Buffer = Buffer.concat(parts)
  for (let n = Math.floor(random() * MUTATIONS_MAX); n > 0; n -= 1) bytes = mutate(bytes, random)
  return bytes
}

/** Cut at random places. */
function cutAnyhow(bytes: Buffer, random: () => number): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + Math.floor(random() ** 3 * bytes.length)
    chunks.push(Buffer.from(bytes.subarray(at, at + size)))
    at += size
  }
  return chunks
}

/** What mqtt-packet makes of the same bytes, until it refuses. */
function readTheirs(bytes: Buffer): Packet[] {
  const parser = packets.parser()
  const seen: Packet[] = []
  let refused = false
  parser.on('packet', (one) => {
    if (!refused) seen.push(one)
  })
  parser.on('error', () => (refused = true))
  parser.parse(bytes)
  return seen
}

/** True where mqtt-packet has the same in every field that we have, but for our size. */
function isSame(ours: InPacket, theirs: Packet | undefined): boolean {
  const other = theirs as Record<string, unknown> | undefined
  return Object.entries(ours).every(
    ([name, value]) => name === 'bytes' || isDeepStrictEqual(other?.[name], value),
  )
}

// A comparison of vitest for each packet would cost more than all of the reading: so each is made by hand, and by
// vitest only to tell the difference.

/** Reads the stream whole and in pieces. */
function readBothWays(bytes: Buffer, random: () => number): Reading {
  const whole = read([bytes], LIMITS)
  const pieces = read(cutAnyhow(bytes, random), LIMITS)
  const isSameFault = pieces.fault?.reason === whole.fault?.reason
  if (!isSameFault || !isDeepStrictEqual(pieces.packets, whole.packets)) {
    expect({ bytes, ...pieces, waitingMax: 0 }).toEqual({ bytes, ...whole, waitingMax: 0 })
  }
  if (pieces.waitingMax >= WAITING_MAX) expect(pieces.waitingMax).toBeLessThan(WAITING_MAX)
  return whole
}

function compareWithTheirs(bytes: Buffer, { packets: ours }: Reading): void {
  const theirs = readTheirs(bytes)
  // MQTT 3.1 is read more leniently here than by mqtt-packet, so it may have stopped before.
  const isOld = ours[0]?.cmd === 'connect' && ours[0].protocolVersion === 3
  const compared = isOld ? ours.slice(0, theirs.length) : ours
  const different = compared.findIndex((one, at) => !isSame(one, theirs[at]))
  if (different !== -1) expect(theirs[different]).toEqual(compared[different])
}

test('any bytes give packets or a WireFault, however they are cut, within the limit', () => {
  const random = seeded(11)
  const counts = { whole: 0, faults: new Set<string>() }
  for (let n = 0; n < STREAMS; n += 1) {
    const bytes = makeStream(random)
    const reading = readBothWays(bytes, random)
    if (reading.fault === null) counts.whole += 1
    else counts.faults.add(reading.fault.reason)
    compareWithTheirs(bytes, reading)
  }
  // So that the streams are neither all right nor all wrong, and reach nearly every rule.
  expect(counts.whole).toBeGreaterThan(STREAMS / 4)
  expect(counts.faults.size).toBeGreaterThan(20)
}, 60_000)
