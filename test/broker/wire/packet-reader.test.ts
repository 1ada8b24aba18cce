import { describe, expect, test } from 'vitest'
import { CONNECT, cut, field, packet, read } from './support.ts'

const stream = Buffer.concat([
  packet(
    0x10,
    field('MQTT'),
    [4, 0xf6, 0, 60],
    field('id'),
    field('w'),
    field('gone'),
    field('ana'),
    field('right'),
  ),
  packet(0x30, field('a/b'), Buffer.from('zero')),
  packet(0x3b, field('ä'), [0, 7], Buffer.alloc(300, 'x')),
  packet(0x34, field('a'), [1, 0]),
  packet(0x40, [0, 1]),
  packet(0x50, [0, 2]),
  packet(0x62, [0, 3]),
  packet(0x70, [0xff, 0xff]),
  packet(0x82, [0, 4], field('a/+/#'), [2], field('+'), [0]),
  packet(0xa2, [0, 5], field('a/+/#'), field('b')),
  packet(0xc0),
  packet(0xe0),
])

const expected = [
  {
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: true,
    keepalive: 60,
    clientId: 'id',
    will: { topic: 'w', payload: Buffer.from('gone'), qos: 2, retain: true },
    username: 'ana',
    password: Buffer.from('right'),
    bytes: 37,
  },
  {
    cmd: 'publish',
    topic: 'a/b',
    payload: Buffer.from('zero'),
    qos: 0,
    retain: false,
    dup: false,
    length: 9,
    bytes: 11,
  },
  {
    cmd: 'publish',
    topic: 'ä',
    payload: Buffer.alloc(300, 'x'),
    qos: 1,
    retain: true,
    dup: true,
    length: 306,
    messageId: 7,
    bytes: 309,
  },
  {
    cmd: 'publish',
    topic: 'a',
    payload: Buffer.alloc(0),
    qos: 2,
    retain: false,
    dup: false,
    length: 5,
    messageId: 256,
    bytes: 7,
  },
  { cmd: 'puback', messageId: 1, bytes: 4 },
  { cmd: 'pubrec', messageId: 2, bytes: 4 },
  { cmd: 'pubrel', messageId: 3, bytes: 4 },
  { cmd: 'pubcomp', messageId: 65_535, bytes: 4 },
  {
    cmd: 'subscribe',
    messageId: 4,
    subscriptions: [
      { topic: 'a/+/#', qos: 2 },
      { topic: '+', qos: 0 },
    ],
    bytes: 16,
  },
  { cmd: 'unsubscribe', messageId: 5, unsubscriptions: ['a/+/#', 'b'], bytes: 14 },
  { cmd: 'pingreq', bytes: 2 },
  { cmd: 'disconnect', bytes: 2 },
]

describe('a stream of every packet a client may send', () => {
  test('is read to the fields it was made of, in their order, and each byte is somebody’s [MQTT-3.1.3-1]', () => {
    const { packets, fault } = read([stream])
    expect(fault).toBeNull()
    expect(packets).toEqual(expected)
    expect(packets.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(stream.length)
  })

  test('is read the same in two chunks, wherever it is cut', () => {
    for (let at = 1; at < stream.length; at += 1) {
      const { packets } = read([stream.subarray(0, at), stream.subarray(at)])
      expect(packets, `cut at ${at}`).toEqual(expected)
    }
  })

  test.for([1, 2, 3, 5, 17, 64])('is read the same in chunks of %i bytes', (size) => {
    expect(read(cut(stream, size)).packets).toEqual(expected)
  })
})

test('what comes after a DISCONNECT is not read, not even to refuse it [MQTT-3.14.4-2]', () => {
  const { packets, fault } = read([Buffer.concat([CONNECT, packet(0xe0), Buffer.from([0, 0, 0])]), CONNECT])
  expect(packets.map(({ cmd }) => cmd)).toEqual(['connect', 'disconnect'])
  expect(fault).toBeNull()
})
