import packets, { type Packet } from 'mqtt-packet'
import { expect, test } from 'vitest'
import { encodeAck, encodePublish, type OutPublish } from '../../../broker/wire/index.ts'

const base: OutPublish = { topic: 'a/b', payload: Buffer.from('x'), qos: 0, retain: false, dup: false }

/** Payloads around the places where the remaining length takes one byte more (section 2.2.3). */
const sizes = [0, 1, 122, 123, 16_378, 16_379, 2_097_146, 2_097_147]
const publishes: OutPublish[] = [
  base,
  ...sizes.map((size) => ({ ...base, payload: Buffer.alloc(size, 'x') })),
  { ...base, topic: 'ä/€/💧', retain: true },
  { ...base, topic: Buffer.from('ä/€/💧') },
  { ...base, qos: 1, messageId: 1 },
  { ...base, qos: 1, messageId: 65_535, dup: true },
  { ...base, qos: 2, messageId: 256, retain: true, dup: true },
]

test('a PUBLISH has the bytes that mqtt-packet writes', () => {
  for (const publish of publishes) {
    const theirs = packets.generate({ cmd: 'publish', ...publish } as Packet)
    expect(encodePublish(publish).equals(theirs)).toBe(true)
  }
})

test.for(['puback', 'pubrec', 'pubrel', 'pubcomp'] as const)(
  'a %s has the bytes that mqtt-packet writes',
  (cmd) => {
    expect(encodeAck(cmd, 513)).toEqual(packets.generate({ cmd, messageId: 513 }))
  },
)

test('a packet id of 0, or none where one is needed, is never written [MQTT-2.3.1-1]', () => {
  expect(() => encodeAck('puback', 0)).toThrow(RangeError)
  expect(() => encodePublish({ ...base, qos: 1 })).toThrow(RangeError)
  expect(() => encodePublish({ ...base, qos: 2, messageId: 0 })).toThrow(RangeError)
  expect(() => encodePublish({ ...base, qos: 1, messageId: 65_536 })).toThrow(RangeError)
})

test('QoS 0 is written without a packet id, even where one is given [MQTT-2.3.1-5]', () => {
  expect(encodePublish({ ...base, messageId: 7 })).toEqual(encodePublish(base))
})

test('a topic above 65,535 bytes is not written [MQTT-4.7.3-3]', () => {
  expect(() => encodePublish({ ...base, topic: 'ä'.repeat(32_768) })).toThrow(RangeError)
})
