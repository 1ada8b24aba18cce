import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { startHeadgateBroker } from '../support/broker-process.ts'
import {
  ackPacket,
  connectPacket,
  DISCONNECT_PACKET,
  idOf,
  PUBACK,
  PUBLISH,
  publishPacket,
  qosOf,
} from '../support/mqtt-bytes.ts'
import { RawClient } from '../support/raw-client.ts'

async function listening() {
  const broker = await startHeadgateBroker()
  const subscriber = await RawClient.clean(broker.port, 'listens')
  let seen = 0
  subscriber.onPacket = (packet) => {
    if (packet.type !== PUBLISH) return
    seen += 1
    if (qosOf(packet) === 1) subscriber.send(ackPacket(PUBACK, idOf(packet)))
  }
  await subscriber.subscribe(['last/#'], 1)
  onTestFinished(async () => {
    subscriber.destroy()
    await broker.end('SIGKILL')
  })
  return { port: broker.port, seen: () => seen }
}

const MESSAGES = 3_000
const messages = (qos: 0 | 1) =>
  Array.from({ length: MESSAGES }, (_, n) =>
    publishPacket({ topic: 'last/words', payload: Buffer.from('x'), qos, id: qos === 0 ? 0 : n + 1 }),
  )

test.each([
  { how: 'half-closes', bye: [] },
  { how: 'says goodbye and half-closes', bye: [DISCONNECT_PACKET] },
])('all that a client sent before it $how is taken', async ({ bye }) => {
  const { port, seen } = await listening()
  const client = await RawClient.clean(port, 'speaks-and-goes')
  client.socket.end(Buffer.concat([...messages(0), ...bye]))
  await expect.poll(seen, { timeout: 60_000 }).toBe(MESSAGES)
})

test.each([
  { login: 'a stored session', clean: false },
  { login: 'a clean one', clean: true },
])(
  'a client with $login may send everything at once and go, before it has its CONNACK',
  async ({ clean }) => {
    const { port, seen } = await listening()
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('error', () => undefined)
    socket.resume()
    socket.end(
      Buffer.concat([connectPacket({ clientId: 'in-one-go', clean }), ...messages(1), DISCONNECT_PACKET]),
    )
    await expect.poll(seen, { timeout: 60_000 }).toBe(MESSAGES)
  },
)
