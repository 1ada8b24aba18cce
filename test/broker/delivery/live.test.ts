import { expect, test } from 'vitest'
import { LiveSubscriber } from '../../../broker/delivery/live.ts'
import { Message } from '../../../broker/delivery/message.ts'
import { wayOut } from './support.ts'

const message = (text: string): Message =>
  new Message({ topic: text, payload: Buffer.from(text), qos: 1, retain: false })

function subscriber(limits: Parameters<typeof wayOut>[0]): {
  live: LiveSubscriber<{ id: string }>
  sent: string[]
  denied: Set<string>
  say: (text: string) => void
} {
  const { outgoing, sent } = wayOut(limits)
  const denied = new Set<string>()
  const live = new LiveSubscriber({
    clientId: 'c',
    principal: { id: 'ana' },
    outgoing,
    mayReceive: (_who, topic) => !denied.has(topic),
  })
  const say = (text: string): void => {
    live.deliver(message(text), 1, { retain: false })
  }
  return { live, sent, denied, say }
}

test('what waits behind the window is not delivered where the right went meanwhile', () => {
  const { live, sent, denied, say } = subscriber({ inflightOut: 1 })
  for (const text of ['a', 'b', 'c']) say(text)
  denied.add('b')
  live.acknowledged('puback', 1)
  expect(sent).toEqual(['a as 1', 'c as 2'])
})

test('[MQTT-4.6.0-6] nothing overtakes what waits behind the window', () => {
  const { live, sent, say } = subscriber({ inflightOut: 2 })
  for (const text of ['a', 'b', 'c']) say(text)
  live.acknowledged('puback', 1)
  say('d')
  live.acknowledged('puback', 2)
  live.acknowledged('puback', 3)
  expect(sent).toEqual(['a as 1', 'b as 2', 'c as 3', 'd as 4'])
})

test('[MQTT-2.3.1-4] an id that is in use is passed over when the numbers begin again', () => {
  const { live, sent, say } = subscriber({ inflightOut: 3 })
  say('first')
  for (let n = 2; n <= 65_535; n += 1) {
    say('more')
    live.acknowledged('puback', n)
  }
  say('last')
  expect(sent.at(-1)).toBe('last as 2')
})

test('who has more waiting than it may is closed', () => {
  const { sent, say } = subscriber({ inflightOut: 1, queuedMessages: 2 })
  for (const text of ['a', 'b', 'c', 'd']) say(text)
  expect(sent).toEqual(['a as 1', 'closed too-slow'])
})
