import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fresh, type Peer, publishPacket, type Site, startSite } from './support.ts'

let site: Site
let publisher: Peer
beforeAll(async () => {
  site = await startSite()
  publisher = await site.connect()
})
afterAll(() => site.stop())

describe('an acknowledgement out of its turn', () => {
  /** What the message is acknowledged with, one after the other; the last is not its turn. */
  const cases: [name: string, qos: 1 | 2, answers: ('puback' | 'pubrec' | 'pubcomp')[]][] = [
    ['a PUBREC for QoS 1', 1, ['pubrec']],
    ['a PUBCOMP for QoS 1', 1, ['pubcomp']],
    ['a PUBACK for QoS 2', 2, ['puback']],
    ['a PUBCOMP before the PUBREC', 2, ['pubcomp']],
    ['a PUBACK after the PUBREC', 2, ['pubrec', 'puback']],
  ]
  test.for(cases)('%s closes the connection [MQTT-4.8.0-1]', async ([, qos, answers]) => {
    const topic = fresh()
    const peer = await site.connect()
    await peer.subscribe([topic, qos])
    await publisher.publish(topic, 'x', { qos })
    const { messageId = 0 } = await peer.take('publish')
    peer.send(...answers.map((cmd) => ({ cmd, messageId })))
    const rest = await peer.untilClosed()
    expect(rest.filter(({ cmd }) => cmd !== 'pubrel')).toEqual([])
  })

  test('a PUBREC that is sent again is answered again [MQTT-4.3.3-1]', async () => {
    const topic = fresh()
    const peer = await site.connect()
    await peer.subscribe([topic, 2])
    await publisher.publish(topic, 'x', { qos: 2 })
    const { messageId = 0 } = await peer.take('publish')
    peer.send({ cmd: 'pubrec', messageId }, { cmd: 'pubrec', messageId })
    expect(await peer.take('pubrel')).toMatchObject({ messageId })
    expect(await peer.take('pubrel')).toMatchObject({ messageId })
    peer.send({ cmd: 'pubcomp', messageId })
    expect(await peer.ping()).toEqual([])
  })
})

test.for([true, false])(
  'a PUBREL in one segment with its message is answered after the PUBREC, and the id is free (clean: %s) [MQTT-4.3.3-2]',
  async (clean) => {
    const topic = fresh()
    const [watcher, peer] = [await site.connect(), await site.connect({ clean })]
    await watcher.subscribe([topic, 2])
    const texts = ['one', 'two', 'three']
    peer.send(
      ...texts.flatMap((text) => [
        publishPacket(topic, text, { qos: 2, messageId: 7 }),
        { cmd: 'pubrel', messageId: 7 } as const,
      ]),
    )
    const answers: unknown[] = []
    while (answers.length < 6) answers.push((await peer.next())?.cmd)
    expect(answers[0]).toBe('pubrec')
    expect(answers.filter((cmd) => cmd === 'pubrec')).toHaveLength(3)
    expect(answers.filter((cmd) => cmd === 'pubcomp')).toHaveLength(3)
    await publisher.publish(topic, 'now', { qos: 2 })
    expect(await watcher.heardUntil('now')).toEqual(texts.map((text) => `${topic} ${text} q2`))
  },
)

test('a QoS 2 message that is repeated while it is stored has a PUBREC for each time [MQTT-4.3.3-2]', async () => {
  const peer = await site.connect()
  const message = publishPacket(fresh(), 'x', { qos: 2, messageId: 3 })
  peer.send(message, { ...message, dup: true }, { ...message, dup: true })
  for (let n = 0; n < 3; n += 1) expect(await peer.take('pubrec')).toMatchObject({ messageId: 3 })
  peer.send({ cmd: 'pubrel', messageId: 3 })
  expect(await peer.take('pubcomp')).toMatchObject({ messageId: 3 })
})
