import type { WireFaultReason } from '../../../broker/wire/index.ts'
import { CONNECT, field, hex, packet } from './support.ts'

const UNACCEPTABLE = hex('20 02 00 01')
const REJECTED = hex('20 02 00 02')

const connect = (name: string, level: number, flags: number, ...fields: (string | Buffer)[]): Buffer =>
  packet(0x10, field(name), [level, flags, 0, 0], ...fields.map((text) => field(text)))
export const v4 = (flags: number, ...fields: (string | Buffer)[]): Buffer =>
  connect('MQTT', 4, flags, ...fields)
export const v3 = (flags: number, ...fields: (string | Buffer)[]): Buffer =>
  connect('MQIsdp', 3, flags, ...fields)
export const publish = (topic: string | Buffer): Buffer => packet(0x30, field(topic), Buffer.from('x'))
export const subscribe = (filter: string | Buffer, qos = 0): Buffer =>
  packet(0x82, [0, 1], field(filter), [qos])
const unsubscribe = (filter: string | Buffer): Buffer => packet(0xa2, [0, 1], field(filter))

/** What must be refused, why, and with which CONNACK if any. */
export type Refusal = readonly [name: string, bytes: Buffer, reason: WireFaultReason, reply?: Buffer]

const connects: Refusal[] = [
  ['a PUBLISH before any CONNECT [MQTT-3.1.0-1]', publish('a'), 'not-connect'],
  ['a PINGREQ before any CONNECT [MQTT-3.1.0-1]', packet(0xc0), 'not-connect'],
  ['a type that does not exist, before any CONNECT [MQTT-3.1.0-1]', packet(0x00), 'not-connect'],
  ['a second CONNECT [MQTT-3.1.0-2]', Buffer.concat([CONNECT, CONNECT]), 'second-connect'],
  ['a CONNECT with flags in its first byte [MQTT-2.2.2-2]', packet(0x11, field('MQTT')), 'header-flags'],
  ['another protocol name [MQTT-3.1.2-1]', connect('MQTX', 4, 2, 'id'), 'protocol-name'],
  ['the protocol name in small letters [MQTT-3.1.2-1]', connect('mqtt', 4, 2, 'id'), 'protocol-name'],
  ['an empty protocol name [MQTT-3.1.2-1]', connect('', 4, 2, 'id'), 'protocol-name'],
  ['a BOM before the protocol name [MQTT-3.1.2-1]', connect('\ufeffMQTT', 4, 2, 'id'), 'protocol-name'],
  ['level 3 of MQTT [MQTT-3.1.2-2]', connect('MQTT', 3, 2, 'id'), 'protocol-level', UNACCEPTABLE],
  ['level 4 of MQIsdp [MQTT-3.1.2-2]', connect('MQIsdp', 4, 2, 'id'), 'protocol-level', UNACCEPTABLE],
  ['level 0 [MQTT-3.1.2-2]', connect('MQTT', 0, 2, 'id'), 'protocol-level', UNACCEPTABLE],
  [
    'level 4 with the bit of a bridge [MQTT-3.1.2-2]',
    connect('MQTT', 0x84, 2, 'id'),
    'protocol-level',
    UNACCEPTABLE,
  ],
  [
    'MQTT 5, answered in its own form [MQTT-3.1.2-2]',
    connect('MQTT', 5, 2, '', 'id'),
    'protocol-level',
    hex('20 03 00 84 00'),
  ],
  [
    'a level after 5, answered as MQTT 5 [MQTT-3.1.2-2]',
    connect('MQTT', 6, 2, 'id'),
    'protocol-level',
    hex('20 03 00 84 00'),
  ],
  ['the reserved connect flag [MQTT-3.1.2-3]', v4(0x03, 'id'), 'reserved-connect-flag'],
  ['a will without its message [MQTT-3.1.2-9]', v4(0x06, 'id', 'w'), 'packet-length'],
  ['a will without its fields [MQTT-3.1.2-9]', v4(0x06, 'id'), 'packet-length'],
  ['will fields without the will flag [MQTT-3.1.2-11]', v4(0x02, 'id', 'w', 'gone'), 'packet-length'],
  ['will QoS without the will flag [MQTT-3.1.2-13]', v4(0x0a, 'id'), 'will-flags'],
  ['will QoS 3 without the will flag [MQTT-3.1.2-11]', v4(0x1a, 'id'), 'will-flags'],
  ['will QoS 3 [MQTT-3.1.2-14]', v4(0x1e, 'id', 'w', 'gone'), 'will-qos'],
  ['will retain without the will flag [MQTT-3.1.2-15]', v4(0x22, 'id'), 'will-flags'],
  ['a user name without its flag [MQTT-3.1.2-18]', v4(0x02, 'id', 'ana'), 'packet-length'],
  ['the user name flag without a user name [MQTT-3.1.2-19]', v4(0x82, 'id'), 'packet-length'],
  ['a password without its flag [MQTT-3.1.2-20]', v4(0x82, 'id', 'ana', 'right'), 'packet-length'],
  ['the password flag without a password [MQTT-3.1.2-21]', v4(0xc2, 'id', 'ana'), 'packet-length'],
  ['a password without a user name [MQTT-3.1.2-22]', v4(0x42, 'id', 'right'), 'password-without-user-name'],
  ['no client id at all [MQTT-3.1.3-3]', v4(0x02), 'packet-length'],
  ['an empty client id with a stored session [MQTT-3.1.3-8]', v4(0x00, ''), 'client-id-missing', REJECTED],
  ['the same from MQTT 3.1, clean or not [MQTT-3.1.3-9]', v3(0x02, ''), 'client-id-length', REJECTED],
  [
    '24 characters of client id in MQTT 3.1 [MQTT-3.1.3-9]',
    v3(0x02, 'x'.repeat(24)),
    'client-id-length',
    REJECTED,
  ],
  [
    'no answer where the rest is wrong too [MQTT-3.1.4-1]',
    packet(0x10, field('MQTT'), [4, 0, 0, 0], field(''), [0]),
    'packet-length',
  ],
  ['a client id that is not UTF-8 [MQTT-3.1.3-4]', v4(0x02, hex('ff')), 'utf8'],
  ['a client id with U+0000 [MQTT-1.5.3-2]', v4(0x02, 'i\0d'), 'null-character'],
  ['a will topic that is not UTF-8 [MQTT-3.1.3-10]', v4(0x06, 'id', hex('c0 af'), 'x'), 'utf8'],
  ['an empty will topic [MQTT-4.7.3-1]', v4(0x06, 'id', '', 'x'), 'topic-empty'],
  ['a wildcard in a will topic [MQTT-4.7.1-1]', v4(0x06, 'id', 'w/+', 'x'), 'topic-wildcard'],
  ['a user name that is not UTF-8 [MQTT-3.1.3-11]', v4(0x82, 'id', hex('e2 82')), 'utf8'],
  [
    'a password cut short',
    packet(0x10, field('MQTT'), hex('04 c2 0000'), field('id'), field('u'), hex('0005 61')),
    'packet-length',
  ],
  ['a CONNECT that ends in its protocol name', packet(0x10, hex('0004 4d51')), 'packet-length'],
  ['an empty CONNECT', packet(0x10), 'packet-length'],
  ['a CONNECT without its keep alive', packet(0x10, field('MQTT'), hex('0402 00')), 'packet-length'],
  ['the fields of MQTT 3.1 missing in their middle', v3(0xc6, 'id', 'w'), 'packet-length'],
]

/** Each after a CONNECT. */
const after: Refusal[] = [
  ['the reserved type 0', packet(0x00), 'packet-type'],
  ['the reserved type 15', packet(0xf0), 'packet-type'],
  ['a CONNACK from a client', hex('20 02 00 00'), 'packet-type'],
  ['a SUBACK from a client', hex('90 03 00 01 00'), 'packet-type'],
  ['an UNSUBACK from a client', hex('b0 02 00 01'), 'packet-type'],
  ['a PINGRESP from a client', hex('d0 00'), 'packet-type'],
  ['a PUBREL with flags 0000 [MQTT-3.6.1-1]', hex('60 02 00 01'), 'header-flags'],
  ['a PUBREL with DUP [MQTT-3.6.1-1]', hex('6a 02 00 01'), 'header-flags'],
  ['a SUBSCRIBE with flags 0000 [MQTT-3.8.1-1]', hex('80 06 00 01 00 01 61 00'), 'header-flags'],
  ['a SUBSCRIBE with flags 0011 [MQTT-3.8.1-1]', hex('83 06 00 01 00 01 61 00'), 'header-flags'],
  ['an UNSUBSCRIBE with flags 0000 [MQTT-3.10.1-1]', hex('a0 05 00 01 00 01 61'), 'header-flags'],
  ['a DISCONNECT with flags [MQTT-3.14.1-1]', hex('e1 00'), 'header-flags'],
  ...[0x41, 0x52, 0x72, 0xc2].map(
    (first): Refusal => [
      `first byte 0x${first.toString(16)} [MQTT-2.2.2-1] [MQTT-2.2.2-2]`,
      Buffer.from([first]),
      'header-flags',
    ],
  ),
  ['a remaining length of five bytes', hex('c0 80 80 80 80 00'), 'remaining-length'],
  ['a fourth length byte that wants a fifth', hex('c0 80 80 80 80'), 'remaining-length'],
  ['a PUBLISH of 256 MiB, at its length [MQTT-4.8.0-2]', hex('30 ff ff ff 7f'), 'too-large'],
  ['the same before its length is whole [MQTT-4.8.0-2]', hex('30 ff ff ff'), 'too-large'],
  ['a PUBACK with one byte more [MQTT-4.8.0-1]', hex('40 03'), 'packet-length'],
  ['a PUBREC with one byte less [MQTT-4.8.0-1]', hex('50 01'), 'packet-length'],
  ['a PUBREL with the form of MQTT 5 [MQTT-4.8.0-1]', hex('62 04'), 'packet-length'],
  ['a PUBCOMP that is empty [MQTT-4.8.0-1]', hex('70 00'), 'packet-length'],
  ['a PINGREQ with something in it [MQTT-4.8.0-1]', hex('c0 01'), 'packet-length'],
  ['a DISCONNECT with something in it [MQTT-4.8.0-1]', hex('e0 01'), 'packet-length'],
  ...[0x40, 0x50, 0x62, 0x70].map(
    (first): Refusal => [
      `packet id 0 in 0x${first.toString(16)} [MQTT-2.3.1-1]`,
      packet(first, [0, 0]),
      'packet-id',
    ],
  ),
  ['packet id 0 in a QoS 1 PUBLISH [MQTT-2.3.1-1]', packet(0x32, field('a'), [0, 0]), 'packet-id'],
  ['packet id 0 in a QoS 2 PUBLISH [MQTT-2.3.1-1]', packet(0x34, field('a'), [0, 0]), 'packet-id'],
  ['packet id 0 in a SUBSCRIBE [MQTT-2.3.1-1]', packet(0x82, [0, 0], field('a'), [0]), 'packet-id'],
  ['packet id 0 in an UNSUBSCRIBE [MQTT-2.3.1-1]', packet(0xa2, [0, 0], field('a')), 'packet-id'],
  ['a QoS 1 PUBLISH without a packet id [MQTT-2.3.1-1]', packet(0x32, field('a')), 'packet-length'],
  ['a QoS 2 PUBLISH with half a packet id [MQTT-2.3.1-1]', packet(0x34, field('a'), [1]), 'packet-length'],
  ['QoS 3 [MQTT-3.3.1-4]', Buffer.from([0x36]), 'publish-qos'],
  ['QoS 3 with DUP and RETAIN [MQTT-3.3.1-4]', Buffer.from([0x3f]), 'publish-qos'],
  ['DUP with QoS 0 [MQTT-3.3.1-2] [MQTT-4.3.1-1]', Buffer.from([0x38]), 'publish-dup'],
  ['a PUBLISH without a topic [MQTT-3.3.2-1]', packet(0x30), 'packet-length'],
  ['a topic longer than its packet [MQTT-3.3.2-1]', packet(0x30, hex('0005 61')), 'packet-length'],
  ['an empty topic [MQTT-4.7.3-1]', publish(''), 'topic-empty'],
  ...['#', '+', 'a/#', 'a/+/b', 'a+', 'a#b'].map(
    (topic): Refusal => [
      `a PUBLISH to ${topic} [MQTT-3.3.2-2] [MQTT-4.7.1-1]`,
      publish(topic),
      'topic-wildcard',
    ],
  ),
  ['a SUBSCRIBE without a filter [MQTT-3.8.3-3]', packet(0x82, [0, 1]), 'subscribe-nothing'],
  ['a SUBSCRIBE without a packet id', packet(0x82), 'packet-length'],
  ['a SUBSCRIBE without its QoS', packet(0x82, [0, 1], field('a')), 'packet-length'],
  [
    'a SUBSCRIBE whose second filter lacks its QoS',
    packet(0x82, [0, 1], field('a'), [0], field('b')),
    'packet-length',
  ],
  ['an empty filter [MQTT-4.7.3-1]', subscribe(''), 'filter-empty'],
  [
    'an empty second filter [MQTT-4.7.3-1]',
    packet(0x82, [0, 1], field('a'), [0], field(''), [0]),
    'filter-empty',
  ],
  ...[3, 4, 0x80, 0xfc, 0xff].map(
    (qos): Refusal => [
      `a requested QoS byte of 0x${qos.toString(16)} [MQTT-3.8.3-4]`,
      subscribe('a', qos),
      'subscribe-qos',
    ],
  ),
  ...['a/#/b', 'ab/#c', 'ab#', '#/a', '##', '#a', 'a/##', '/#/', '#/'].map(
    (filter): Refusal => [`the filter ${filter} [MQTT-4.7.1-2]`, subscribe(filter), 'filter-multi-level'],
  ),
  ...['a+', '+a', 'a/b+', 'a/+b', '++', '+/a+', 'a+/b', '/++/'].map(
    (filter): Refusal => [`the filter ${filter} [MQTT-4.7.1-3]`, subscribe(filter), 'filter-single-level'],
  ),
  ['a filter that is not UTF-8 [MQTT-3.8.3-1]', subscribe(hex('61 80')), 'utf8'],
  ['a filter with U+0000 [MQTT-4.7.3-2]', subscribe('a\0'), 'null-character'],
  ['an UNSUBSCRIBE without a filter [MQTT-3.10.3-2]', packet(0xa2, [0, 1]), 'unsubscribe-nothing'],
  ['an UNSUBSCRIBE from an empty filter [MQTT-4.7.3-1]', unsubscribe(''), 'filter-empty'],
  ['an UNSUBSCRIBE from a+ [MQTT-4.7.1-3]', unsubscribe('a+'), 'filter-single-level'],
  ['an UNSUBSCRIBE that is not UTF-8 [MQTT-3.10.3-1]', unsubscribe(hex('c3 28')), 'utf8'],
  [
    'an UNSUBSCRIBE with QoS bytes between [MQTT-3.10.3-1]',
    packet(0xa2, [0, 1], field('a'), [1], field('b'), [1]),
    'packet-length',
  ],
  ['a topic with U+0000 [MQTT-4.7.3-2] [MQTT-1.5.3-2]', publish('a\0b'), 'null-character'],
]

/** Ill-formed UTF-8 [MQTT-1.5.3-1] and characters a server may refuse (section 1.5.3), each as a topic. */
const texts: Refusal[] = [
  ['a continuation byte alone', '80'],
  ['a first byte alone', 'c3'],
  ['an overlong slash of two bytes', 'c0 af'],
  ['an overlong slash of three bytes', 'e0 80 af'],
  ['an overlong U+0000, the modified UTF-8 of Java', 'c0 80'],
  ['a high surrogate, U+D800', 'ed a0 80'],
  ['a low surrogate, U+DFFF', 'ed bf bf'],
  ['a pair of surrogates, as CESU-8 has it', 'ed a0 bd ed b8 80'],
  ['U+110000', 'f4 90 80 80'],
  ['a form of five bytes', 'f8 88 80 80 80'],
  ['the byte FE', 'fe'],
  ['Latin-1', 'e4 62'],
].map(([name = '', bytes = '']): Refusal => [`${name} [MQTT-1.5.3-1]`, publish(hex(bytes)), 'utf8'])
const controls = [
  0x01, 0x09, 0x0a, 0x1f, 0x7f, 0x80, 0x9f, 0xfdd0, 0xfdef, 0xfffe, 0xffff, 0x1fffe, 0x10ffff,
].map(
  (code): Refusal => [
    `U+${code.toString(16).toUpperCase().padStart(4, '0')} (section 1.5.3)`,
    publish(`a${String.fromCodePoint(code)}`),
    'control-character',
  ],
)

/** All of them, as whole streams from the first byte on. */
export const refused: Refusal[] = [
  ...connects,
  ...[...after, ...texts, ...controls].map(
    ([name, bytes, reason]): Refusal => [name, Buffer.concat([CONNECT, bytes]), reason],
  ),
]
