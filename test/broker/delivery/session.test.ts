import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Message } from '../../../broker/delivery/message.ts'
import { sessionWith, wayOut } from './support.ts'

/** Longer than what waited takes to follow its CONNACK. */
const RESUMED_MS = 50

test('[MQTT-2.3.1-4] a message whose id is still in use waits until the one that has it is acknowledged', async () => {
  const { session, close } = await sessionWith([1, 2, 65_536, 65_537].map((seq) => ({ seq, qos: 1 })))
  const { outgoing, sent } = wayOut()
  session.attach(outgoing)
  await sleep(RESUMED_MS)
  expect(sent).toEqual(['1 as 1', '2 as 2'])
  session.acknowledged('puback', 2)
  expect(sent).toHaveLength(2)
  session.acknowledged('puback', 1)
  expect(sent.slice(2)).toEqual(['65536 as 1', '65537 as 2'])
  close()
})

test('[MQTT-4.3.3-1] PUBREL goes out only when the disk knows of the PUBREC, however often that comes', async () => {
  const { session, store, close } = await sessionWith([{ seq: 1, qos: 2 }])
  const { outgoing, sent } = wayOut()
  session.attach(outgoing)
  await sleep(RESUMED_MS)
  session.acknowledged('pubrec', 1)
  session.acknowledged('pubrec', 1)
  expect(sent).toEqual(['1 as 1'])
  await store.committed()
  expect(store.page('c', 0, 10)).toMatchObject([{ released: true }])
  expect(sent).toEqual(['1 as 1', 'release 1'])
  session.acknowledged('pubrec', 1)
  expect(sent.slice(2)).toEqual(['release 1'])
  close()
})

test('[MQTT-4.4.0-1] a PUBREC right after the reconnect finds its message sent again, not a second one later', async () => {
  const { session, store, close } = await sessionWith([{ seq: 1, qos: 2 }])
  const first = wayOut()
  session.attach(first.outgoing)
  await sleep(RESUMED_MS)
  session.detach()
  const second = wayOut()
  session.attach(second.outgoing)
  session.acknowledged('pubrec', 1)
  await store.committed()
  await sleep(RESUMED_MS)
  expect(second.sent).toEqual(['1 as 1 again', 'release 1'])
  expect(session.acknowledged('pubcomp', 1)).toBe(true)
  close()
})

test('a PUBREC for a message that has not been sent again yet is not answered before it has', async () => {
  const rows = [1, 2, 3].map((seq) => ({ seq, qos: 2 as const }))
  const { session, close } = await sessionWith(rows, { inflightOut: 1 })
  const { outgoing, sent } = wayOut({ inflightOut: 1 })
  session.attach(outgoing)
  await sleep(RESUMED_MS)
  session.acknowledged('pubrec', 3)
  expect(sent).toEqual(['1 as 1'])
  close()
})

test('a connected client that never acknowledges keeps no more than half of its queue under way; the rest is given up', async () => {
  const { session, store, close } = await sessionWith([], { offlineMessages: 20 })
  const { outgoing, sent } = wayOut()
  session.attach(outgoing)
  await sleep(RESUMED_MS)
  for (let n = 1; n <= 60; n += 1) {
    const message = new Message({ topic: 't', payload: Buffer.from(String(n)), qos: 1, retain: false })
    const seq = session.reserve(message)
    store.enqueue({ topic: 't', payload: message.payload, qos: 1, retain: false }, [
      { clientId: 'c', seq, qos: 1 },
    ])
    await store.committed()
    session.deliver(message, 1, { retain: false, seq })
    session.settled(seq)
  }
  expect(sent).toHaveLength(10)
  expect(session.count).toBeLessThanOrEqual(20)
  close()
})

const nine = Array.from({ length: 9 }, (_, at) => ({ seq: at + 1, qos: 1 as const }))
const ten = new Message({ topic: 't', payload: Buffer.from('!'), qos: 1, retain: false })

test.for([
  ['in bytes', { offlineBytes: 18 }],
  ['in messages', { offlineMessages: 9 }],
] as const)('a queue that is full %s gives up what a new message needs, and no more', async ([, limits]) => {
  const { session, store, close } = await sessionWith(nine, limits)
  expect(session.reserve(ten)).toBe(10)
  expect(session.count).toBe(9)
  expect(store.page('c', 0, 20).map(({ seq }) => seq)).toEqual([2, 3, 4, 5, 6, 7, 8, 9])
  close()
})

test('what is given up behind the window is not sent, what follows it is', async () => {
  const { session, close } = await sessionWith(nine, { inflightOut: 2, offlineBytes: 18 })
  const { outgoing, sent } = wayOut()
  session.attach(outgoing)
  await sleep(RESUMED_MS)
  session.acknowledged('puback', 1)
  expect(sent).toEqual(['1 as 1', '2 as 2', '3 as 3'])
  session.reserve(ten)
  session.reserve(ten)
  session.acknowledged('puback', 2)
  expect(sent.slice(3)).toEqual(['5 as 5'])
  close()
})

test('a queue that stays full costs each message one row, not another look at all that went', async () => {
  const rows = Array.from({ length: 20_000 }, (_, at) => ({ seq: at + 1, qos: 1 as const }))
  const { session, store, close } = await sessionWith(rows, { offlineMessages: 20_000 })
  const began = performance.now()
  for (let n = 0; n < rows.length; n += 1) session.reserve(ten)
  // Looked through from the beginning each time, it takes minutes.
  expect(performance.now() - began).toBeLessThan(10_000)
  await store.committed()
  expect(store.figures.queueRows).toBe(0)
  close()
})
