import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { CONNECT, hex } from '../wire/support.ts'
import { type Site, startSite } from './support.ts'

let site: Site
beforeAll(async () => {
  site = await startSite(['ws://127.0.0.1:0'])
})
afterAll(() => site.stop())

const PINGREQ = hex('c0 00')
const ANSWERS = '20020000d000'

async function open(protocols: string[]): Promise<WebSocket> {
  const socket = new WebSocket(site.broker.addresses()[0] ?? '', protocols)
  await once(socket, 'open')
  return socket
}

/** The bytes that come until there are as many as expected. */
function answerOf(socket: WebSocket): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    socket.on('message', (data: Buffer) => {
      answer += data.toString('hex')
      if (answer.length >= ANSWERS.length) resolve(answer)
    })
  })
}

test('the server chooses mqtt, whatever else is offered [MQTT-6.0.0-3] [MQTT-6.0.0-4]', async () => {
  for (const offered of [['mqtt'], ['chat', 'mqtt']]) {
    const socket = await open(offered)
    expect(socket.protocol).toBe('mqtt')
    socket.terminate()
  }
})

test('who does not offer it is not served [MQTT-6.0.0-3]', async () => {
  const socket = new WebSocket(site.broker.addresses()[0] ?? '', ['chat'])
  const answers: string[] = []
  socket.on('open', () => {
    socket.send(CONNECT)
  })
  socket.on('message', (data: Buffer) => answers.push(data.toString('hex')))
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.on('close', resolve))
  expect(answers).toEqual([])
})

test.for([
  ['each byte in a frame', [...Buffer.concat([CONNECT, PINGREQ])].map((byte) => Buffer.from([byte]))],
  ['many packets in one frame', [Buffer.concat([CONNECT, PINGREQ])]],
  [
    'packets across frames',
    [
      CONNECT.subarray(0, 5),
      Buffer.concat([CONNECT.subarray(5), PINGREQ.subarray(0, 1)]),
      PINGREQ.subarray(1),
    ],
  ],
] as const)('%s [MQTT-6.0.0-1] [MQTT-6.0.0-2]', async ([, frames]) => {
  const socket = await open(['mqtt'])
  const answer = answerOf(socket)
  for (const frame of frames) socket.send(frame)
  expect(await answer).toBe(ANSWERS)
  socket.terminate()
})

test('a text frame closes the connection [MQTT-6.0.0-1]', async () => {
  const socket = await open(['mqtt'])
  socket.send(CONNECT)
  await once(socket, 'message')
  socket.send('\u0010')
  await once(socket, 'close')
})
