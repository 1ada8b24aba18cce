import fc from 'fast-check'
import packets from 'mqtt-packet'
import { describe, expect, test } from 'vitest'
import { PacketMeter } from '../../broker/guarded-socket.ts'
import {
  ABSENT_SESSIONS_MAX,
  CONNECT_BYTES_MAX,
  PACKET_BYTES_MAX,
  QUEUE_BYTES_MAX,
} from '../../broker/limits.ts'
import { FilterTree } from '../../broker/persistence/filter-tree.ts'
import { OutgoingQueue, type StoredPacket } from '../../broker/persistence/outgoing-queue.ts'
import { Sessions } from '../../broker/sessions.ts'
import {
  clientIdIsSound,
  filterIsSound,
  filterMatches,
  topicIsReserved,
  topicIsSound,
} from '../../broker/topics.ts'

const level = fc.constantFrom('a', 'b', '', 'c', '$d')
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'))
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, open]) => [...levels, ...(open ? ['#'] : [])].join('/'))

describe('filters', () => {
  const cases: [filter: string, topic: string, matches: boolean][] = [
    ['a', 'a', true],
    ['a', 'b', false],
    ['#', 'a/b', true],
    ['#', '$SYS/a', false],
    ['+/a', '$SYS/a', false],
    ['$SYS/#', '$SYS/a', true],
    ['a/#', 'a', true],
    ['a/#', 'a/b/c', true],
    ['a/+', 'a', false],
    ['a/+', 'a/', true],
    ['+/+', '/a', true],
    ['+', '/a', false],
    ['a/+/c', 'a/b/c', true],
  ]
  test.for(cases)('%s and %s: %s', ([wanted, given, matches]) => {
    expect(filterMatches(wanted, given)).toBe(matches)
  })

  test('the tree finds exactly the clients that comparing each filter finds', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(filter, fc.integer({ min: 1, max: 2 }), fc.boolean()), { maxLength: 12 }),
        topic,
        (filters, published) => {
          const tree = new FilterTree()
          const expected: string[] = []
          for (const [at, [wanted, qos, removed]] of filters.entries()) {
            tree.add(wanted, `c${at}`, qos)
            if (removed) tree.remove(wanted, `c${at}`)
            else if (filterMatches(wanted, published)) expected.push(`c${at}`)
          }
          expect([...tree.match(published).keys()].sort()).toEqual(expected.sort())
        },
      ),
    )
  })

  test('a client with several matching filters is found once, with the highest quality of service', () => {
    const tree = new FilterTree()
    tree.add('a/#', 'c', 1)
    tree.add('a/+', 'c', 2)
    expect([...tree.match('a/b')]).toEqual([['c', 2]])
  })
})

describe('names from outside', () => {
  test.for([
    'a\u0000',
    'a\u001f',
    'a\u007f',
    '\ud800',
    '\uffff',
    '\ufdd0',
    '',
    '$SYS/a',
    'x'.repeat(600),
    'a/'.repeat(20),
  ])('topic %j is refused', (text) => {
    expect([topicIsSound(text), filterIsSound(text)]).toEqual([false, false])
  })
  test.for([
    ['a/$SYS', [false, false]],
    ['$d/a', [true, false]],
    ['$SYS', [true, true]],
    ['$SYS/#', [true, true]],
    ['$SYSTEM/a', [true, false]],
    ['$share/g/a', [true, true]],
    ['$headgate/quarantine', [true, true]],
    ['$headgate/other', [true, false]],
  ] as const)('%s is reserved where $ is refused and where it is ordinary: %s', ([text, reserved]) => {
    expect([topicIsReserved(text, 'refused'), topicIsReserved(text, 'ordinary')]).toEqual(reserved)
    expect(filterIsSound(text)).toBe(!reserved[0])
    expect(filterIsSound(text, 'ordinary')).toBe(!reserved[1])
  })
  test('wildcards are for filters only, and for client ids never', () => {
    expect([topicIsSound('a/+'), filterIsSound('a/+'), clientIdIsSound('a/+')]).toEqual([false, true, false])
    expect([topicIsSound('Ü/日本'), clientIdIsSound('Ü-日本')]).toEqual([true, true])
  })
})

describe('the packet meter', () => {
  const some = fc.array(fc.integer({ min: 0, max: PACKET_BYTES_MAX - 100 }), { minLength: 1, maxLength: 5 })
  const stream = (sizes: readonly number[]): Buffer =>
    Buffer.concat([
      packets.generate({
        cmd: 'connect',
        clientId: 'c',
        clean: true,
        keepalive: 0,
        protocolId: 'MQTT',
        protocolVersion: 4,
      }),
      ...sizes.map((size) =>
        packets.generate({
          cmd: 'publish',
          topic: 't',
          payload: Buffer.alloc(size, 0xff),
          qos: 0,
          retain: false,
          dup: false,
        }),
      ),
    ])
  const acceptsIn = (bytes: Buffer, chunk: number): boolean => {
    const meter = new PacketMeter()
    for (let at = 0; at < bytes.length; at += chunk) {
      if (!meter.accepts(bytes.subarray(at, at + chunk))) return false
    }
    return true
  }

  test('lets packets within the limit pass, wherever the bytes are cut', () => {
    fc.assert(
      fc.property(some, fc.integer({ min: 1, max: 70_000 }), (sizes, chunk) => {
        expect(acceptsIn(stream(sizes), chunk)).toBe(true)
      }),
      { numRuns: 50 },
    )
  })

  test('stops the first packet beyond the limit, wherever the bytes are cut', () => {
    fc.assert(
      fc.property(some, fc.integer({ min: 1, max: 70_000 }), (sizes, chunk) => {
        expect(acceptsIn(stream([...sizes, PACKET_BYTES_MAX]), chunk)).toBe(false)
      }),
      { numRuns: 50 },
    )
  })

  test('holds the first packet to a smaller limit', () => {
    const connect = (size: number): Buffer =>
      packets.generate({
        cmd: 'connect',
        clientId: 'c',
        clean: true,
        keepalive: 0,
        protocolId: 'MQTT',
        protocolVersion: 4,
        username: 'u',
        password: Buffer.alloc(size),
      })
    expect(new PacketMeter().accepts(connect(CONNECT_BYTES_MAX - 100))).toBe(true)
    expect(new PacketMeter().accepts(connect(CONNECT_BYTES_MAX))).toBe(false)
  })
})

describe('a queue', () => {
  const message = (counter: number, size = 1): StoredPacket => ({
    cmd: 'publish',
    brokerCounter: counter,
    topic: 't',
    payload: Buffer.alloc(size),
    qos: 1,
  })

  test('holds to its bytes by dropping the oldest', () => {
    let dropped = 0
    const queue = new OutgoingQueue(() => (dropped += 1))
    for (let n = 1; n <= 5; n += 1) queue.add(n, message(n, QUEUE_BYTES_MAX / 4))
    expect(queue.list().map(({ brokerCounter }) => brokerCounter)).toEqual([2, 3, 4, 5])
    expect(dropped).toBe(1)
  })

  test('marks what was sent before as a repetition, and gives it up when it is acknowledged', () => {
    const queue = new OutgoingQueue(() => undefined)
    queue.add(1, message(1))
    queue.add(2, message(2))
    queue.update({ ...message(1), messageId: 10 })
    expect(queue.list().map(({ dup }) => dup)).toEqual([true, false])
    expect(queue.acknowledge(10)?.brokerCounter).toBe(1)
    expect(queue.acknowledge(10)).toBeUndefined()
    expect(queue.list()).toHaveLength(1)
  })

  test('gives up nothing where no identifier is named', () => {
    const queue = new OutgoingQueue(() => undefined)
    queue.add(1, message(1))
    expect(queue.acknowledge(undefined)).toBeUndefined()
    expect(queue.list()).toHaveLength(1)
  })

  test('puts a PUBREL in the place of its QoS 2 message', () => {
    const queue = new OutgoingQueue(() => undefined)
    queue.add(1, { ...message(1), qos: 2 })
    queue.update({ ...message(1), messageId: 10 })
    queue.update({ cmd: 'pubrel', messageId: 10 })
    expect(queue.list()).toMatchObject([{ cmd: 'pubrel', messageId: 10 }])
    expect(queue.acknowledge(10)?.cmd).toBe('pubrel')
  })
})

describe('client ids', () => {
  const ana = { id: 'ana' }
  const ben = { id: 'ben' }

  test('of one principal that stay away are limited: the longest gone is forgotten', () => {
    const forgotten: string[] = []
    const sessions = new Sessions((clientId) => forgotten.push(clientId))
    for (let n = 0; n <= ABSENT_SESSIONS_MAX; n += 1) {
      sessions.claim(`s${n}`, ana, false)
      sessions.release(`s${n}`)
    }
    sessions.claim('other', ben, false)
    sessions.release('other')
    expect(forgotten).toEqual(['s0'])
    expect(sessions.claim('s0', ben, false)).toBe(true)
    expect(sessions.claim('s1', ben, false)).toBe(false)
  })

  test('are free when the last connection of a clean session has gone, not before', () => {
    const sessions = new Sessions(() => undefined)
    sessions.claim('x', ana, true)
    sessions.claim('x', ana, true)
    sessions.release('x')
    expect(sessions.claim('x', ben, true)).toBe(false)
    sessions.release('x')
    expect(sessions.claim('x', ben, true)).toBe(true)
  })
})
