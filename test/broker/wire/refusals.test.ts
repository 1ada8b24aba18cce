import { expect, test } from 'vitest'
import { publish, refused, subscribe, v3, v4 } from './refusals.ts'
import { CONNECT, CONNECT_3_1, cut, field, hex, LIMITS, packet, read } from './support.ts'

test.for(refused)('%s is refused', ([, bytes, reason, reply]) => {
  for (const chunks of [[bytes], cut(bytes, 1)]) {
    const { fault } = read(chunks)
    expect(fault).toMatchObject({ reason, reply: reply ?? null })
  }
})

const plain = (cmd: string, more: object): object => expect.objectContaining({ cmd, ...more }) as object

test.for<[string, Buffer, object]>([
  [
    'U+FEFF stays where it is [MQTT-1.5.3-3]',
    publish(hex('ef bb bf 61')),
    plain('publish', { topic: '\ufeffa' }),
  ],
  [
    'U+FEFF stays in the middle too [MQTT-1.5.3-3]',
    publish('a\ufeffb'),
    plain('publish', { topic: 'a\ufeffb' }),
  ],
  [
    'nothing is normalised [MQTT-4.7.3-4]',
    publish('a\u0308//Ä '),
    plain('publish', { topic: 'a\u0308//Ä ' }),
  ],
  ['characters beyond the first plane', publish('💧/\u{1fffd}'), plain('publish', { topic: '💧/\u{1fffd}' })],
  [
    'a topic of 65,535 bytes [MQTT-4.7.3-3]',
    publish('x'.repeat(65_535)),
    plain('publish', { length: 65_538 }),
  ],
  ['a lone slash [MQTT-4.7.3-1]', publish('/'), plain('publish', { topic: '/' })],
  [
    'a QoS 0 PUBLISH has no packet id [MQTT-2.3.1-5]',
    packet(0x30, field('a'), [0, 0]),
    plain('publish', { payload: Buffer.alloc(2) }),
  ],
  ['a length that is longer than need be', hex('c0 80 80 00'), { cmd: 'pingreq', bytes: 4 }],
  [
    'a filter for shared subscriptions, to be answered',
    subscribe('$share/g/a/#', 1),
    plain('subscribe', { subscriptions: [{ topic: '$share/g/a/#', qos: 1 }] }),
  ],
  [
    'wildcards as they may be [MQTT-4.7.1-2] [MQTT-4.7.1-3]',
    packet(0x82, [0, 1], ...['#', '+', '/+', '+/#', 'a/+/b/#', '/#'].flatMap((f) => [field(f), [0]])),
    plain('subscribe', { messageId: 1 }),
  ],
])('%s is read', ([, bytes, expected]) => {
  const { packets, fault } = read([Buffer.concat([CONNECT, bytes])])
  expect(fault).toBeNull()
  expect(packets[1]).toEqual(expected)
})

test.for<[string, Buffer, object]>([
  [
    'MQTT 3.1 itself',
    v3(0x02, 'x'.repeat(23)),
    plain('connect', { protocolId: 'MQIsdp', protocolVersion: 3 }),
  ],
  ['the unused connect flag', v3(0x03, 'id'), plain('connect', { clean: true })],
  ['a user name that is missing at the end', v3(0x82, 'id'), plain('connect', { clientId: 'id' })],
  ['a password that is missing at the end', v3(0xc2, 'id', 'ana'), plain('connect', { username: 'ana' })],
  [
    'a SUBSCRIBE that is sent again',
    Buffer.concat([CONNECT_3_1, hex('8a 06 00 01 00 01 61 00')]),
    plain('subscribe', {}),
  ],
  ['a PUBREL that is sent again', Buffer.concat([CONNECT_3_1, hex('6a 02 00 01')]), plain('pubrel', {})],
])('of MQTT 3.1, which 3.1.1 forbids or knows otherwise: %s is read', ([, bytes, expected]) => {
  const { packets, fault } = read([bytes])
  expect(fault).toBeNull()
  expect(packets.at(-1)).toEqual(expected)
})

test('an empty client id with a clean session is read: the broker gives one [MQTT-3.1.3-6]', () => {
  expect(read([v4(0x02, '')]).packets).toEqual([plain('connect', { clientId: '', clean: true })])
})

test('a reader that has refused refuses for ever and holds nothing', () => {
  const { fault, waitingMax } = read([CONNECT, hex('36'), CONNECT, Buffer.alloc(100_000)])
  expect(fault?.reason).toBe('publish-qos')
  expect(waitingMax).toBe(0)
})

test('a claimed length above the limit is refused before a byte of it is held', () => {
  const stranger = read([hex('10 81 80 01')])
  expect(stranger.fault?.reason).toBe('too-large')
  expect(stranger.waitingMax).toBe(0)
  const atLimit = packet(0x30, field('a'), Buffer.alloc(LIMITS.packetBytesMax - 3))
  expect(read([CONNECT, atLimit]).packets).toHaveLength(2)
  const above = packet(0x30, field('a'), Buffer.alloc(LIMITS.packetBytesMax - 2))
  expect(read([CONNECT, above.subarray(0, 4)]).fault?.reason).toBe('too-large')
})
