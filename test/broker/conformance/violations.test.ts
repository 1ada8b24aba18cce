import { connect as dial } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { refused } from '../wire/refusals.ts'
import { CONNECT, hex } from '../wire/support.ts'
import { fresh, type Peer, type Site, startSite } from './support.ts'

const CONNACK = hex('20 02 00 00')
const PATIENCE_MS = 5_000

let site: Site
let honest: Peer
beforeAll(async () => {
  site = await startSite()
  honest = await site.connect()
})
afterAll(() => site.stop())

/** All that the broker answers to these bytes until it closes the connection. */
function answerTo(bytes: Buffer): Promise<Buffer> {
  const { hostname, port } = new URL(site.broker.addresses()[0] ?? '')
  return new Promise((resolve, reject) => {
    const socket = dial(Number(port), hostname, () => socket.write(bytes))
    const answer: Buffer[] = []
    socket.setTimeout(PATIENCE_MS, () => {
      socket.destroy()
      reject(new Error('the connection stays open'))
    })
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => answer.push(chunk))
    socket.on('close', () => {
      resolve(Buffer.concat(answer))
    })
  })
}

test.for(refused)('%s closes its connection', async ([, bytes, , reply]) => {
  const isAfterConnect = bytes.subarray(0, CONNECT.length).equals(CONNECT)
  const answer = await answerTo(bytes)
  // Whether the CONNACK still reaches one who breaks the rules in the same segment is not said.
  if (isAfterConnect) expect([CONNACK.toString('hex'), '']).toContain(answer.toString('hex'))
  else expect(answer.toString('hex')).toBe((reply ?? Buffer.alloc(0)).toString('hex'))
})

test('a violation closes the connection it came on and no other [MQTT-4.8.0-1] [MQTT-4.8.0-2]', async () => {
  const topic = fresh()
  await honest.subscribe([topic, 1])
  const wrong = await site.connect()
  wrong.send(hex('36 00'))
  expect(await wrong.untilClosed()).toEqual([])
  const huge = await site.connect()
  huge.send(hex('30 ff ff ff 7f'))
  expect(await huge.untilClosed()).toEqual([])
  const other = await site.connect()
  await other.publish(topic, 'now', { qos: 1 })
  expect(await honest.heardUntil('now')).toEqual([])
})
