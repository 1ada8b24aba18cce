import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import { MESSAGE_BYTES_MAX, STRANGER_MESSAGE_BYTES_MAX } from '../../../broker/listen/limits.ts'
import { originIsAllowed } from '../../../broker/listen/origin.ts'
import { until } from '../support.ts'
import { echo, plain, untilClosed, webSocket } from './echo.ts'

const url = 'ws://127.0.0.1:0'

/** The head of an upgrade; `change` replaces headers, undefined removes one. */
function upgrade(change: Record<string, string | undefined> = {}, line = 'GET / HTTP/1.1'): string {
  const headers: Record<string, string | undefined> = {
    Host: '127.0.0.1',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    'Sec-WebSocket-Protocol': 'mqtt',
    ...change,
  }
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  )
  return [line, ...lines, '', ''].join('\r\n')
}

/** A frame as a client sends it. */
function frame(
  opcode: number,
  payload: Buffer,
  { fin = true, masked = true, claimed = payload.length } = {},
) {
  const head = Buffer.alloc(10)
  head[0] = (fin ? 0x80 : 0) | opcode
  head[1] = (masked ? 0x80 : 0) | 127
  head.writeBigUInt64BE(BigInt(claimed), 2)
  return Buffer.concat([head, masked ? Buffer.alloc(4) : Buffer.alloc(0), payload]) // a mask of zeros changes nothing
}
const BINARY = 2
const CONTINUATION = 0

/** A raw connection that has come through the upgrade. */
async function upgraded(port: number) {
  const socket = await plain(port)
  socket.write(upgrade())
  const [answer] = (await once(socket, 'data')) as [Buffer]
  expect(answer.toString()).toMatch(/^HTTP\/1.1 101 /)
  return socket
}

/** The code with which the listener closed. */
async function closeCode(socket: WebSocket): Promise<number> {
  const [code] = (await once(socket, 'close', { signal: AbortSignal.timeout(60_000) })) as [number]
  return code
}

const message = async (socket: WebSocket): Promise<Buffer> => {
  const [data] = (await once(socket, 'message', { signal: AbortSignal.timeout(60_000) })) as [Buffer]
  return data
}

describe('the upgrade', () => {
  test('chooses the subprotocol mqtt among others [MQTT-6.0.0-3], and mqttv3.1 where only that is offered', async () => {
    const { listener, peers } = await echo({ url })
    const both = await webSocket(listener.address, { protocols: ['mqttv5', 'mqttv3.1', 'mqtt'] })
    expect(both.protocol).toBe('mqtt')
    const old = await webSocket(listener.address, { protocols: ['mqttv3.1'] })
    expect(old.protocol).toBe('mqttv3.1')
    expect(both.extensions).toBe('')
    expect(peers.map(({ transport }) => transport)).toEqual(['ws', 'ws'])
  })

  const refused: [what: string, head: string, status: string, reason: string][] = [
    ['without a subprotocol', upgrade({ 'Sec-WebSocket-Protocol': undefined }), '400', 'upgrade'],
    ['with another subprotocol', upgrade({ 'Sec-WebSocket-Protocol': 'chat, mqttx' }), '400', 'upgrade'],
    ['to another path', upgrade({}, 'GET /other?x=/mqtt HTTP/1.1'), '404', 'upgrade'],
    ['of an old version', upgrade({ 'Sec-WebSocket-Version': '7' }), '400', 'upgrade'],
    ['without a key', upgrade({ 'Sec-WebSocket-Key': undefined }), '400', 'upgrade'],
    ['by POST', upgrade({}, 'POST /mqtt HTTP/1.1'), '400', 'upgrade'],
    ['to something else', upgrade({ Upgrade: 'h2c' }), '400', 'upgrade'],
    ["from another site's page", upgrade({ Origin: 'https://evil.example' }), '403', 'origin'],
    ['from a page that names no site', upgrade({ Origin: 'null' }), '403', 'origin'],
    ['that is a plain request', 'GET /mqtt HTTP/1.1\r\nHost: x\r\n\r\n', '426', 'upgrade'],
    [
      'that is a thousand plain requests',
      'GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1_000),
      '426',
      'upgrade',
    ],
    ['that is garbage', '\u0010\u0000\u0004MQTT\r\n\r\n', '400', 'upgrade'],
    ['with 1 MB of headers', upgrade({ Cookie: 'x'.repeat(1_000_000) }), '400', 'upgrade'],
    ['with 100,000 headers', `GET /mqtt HTTP/1.1\r\n${'a: b\r\n'.repeat(100_000)}\r\n`, '400', 'upgrade'],
  ]
  test.for(refused)('%s is refused', async ([, head, status, reason]) => {
    const { port, peers, refused: reasons } = await echo({ url: `${url}/mqtt` })
    const socket = await plain(port)
    socket.write(head.replace('GET / ', 'GET /mqtt '))
    // Where much was sent that nobody reads, a reset may overtake the answer.
    expect(await untilClosed(socket)).toMatch(
      new RegExp(`^(HTTP/1.1 ${status} [^]*|${head.length > 100_000 ? '' : 'never'})$`),
    )
    await until(() => reasons.length > 0)
    expect(reasons).toEqual([reason])
    expect(peers).toEqual([])
  })

  test('to the path, with a query, is taken', async () => {
    const { listener } = await echo({ url: `${url}/mqtt` })
    await webSocket(`${listener.address}?token=x`)
  })

  test('that stalls is ended after five seconds, at any point, and holds up nobody', async () => {
    const { port, listener, refused: reasons } = await echo({ url })
    const began = performance.now()
    const beginnings = ['', 'GET', upgrade().slice(0, -2), `${upgrade().slice(0, -2)}X-Slow: `]
    const sockets = await Promise.all(beginnings.map(() => plain(port)))
    for (const [at, socket] of sockets.entries()) socket.write(beginnings[at] ?? '')
    const dripping = await plain(port)
    dripping.write('GET / HTTP/1.1\r\nX-Slow: ')
    const drip = setInterval(() => dripping.write('X'), 300)
    const honest = await webSocket(listener.address)
    await Promise.all([...sockets, dripping].map(untilClosed))
    clearInterval(drip)
    expect(performance.now() - began).toBeGreaterThan(4_000)
    expect(reasons).toEqual(['slow', 'slow', 'slow', 'slow', 'slow'])
    honest.send(Buffer.from('still here'))
    expect((await message(honest)).toString()).toBe('still here')
  })
})

describe('web pages', () => {
  const cases: [origin: string | undefined, host: string | undefined, allowed: string[], may: boolean][] = [
    [undefined, '127.0.0.1:9001', [], true],
    ['http://127.0.0.1:8080', '127.0.0.1:9001', [], true],
    ['http://localhost:8080', 'localhost:9001', [], true],
    ['http://[::1]:8080', '[::1]:9001', [], true],
    ['https://192.0.2.7', '192.0.2.7:9001', [], true],
    ['http://127.0.0.1', 'localhost:9001', [], false],
    ['http://localhost', '127.0.0.1:9001', [], false],
    ['https://evil.example', '127.0.0.1:9001', [], false],
    ['http://gateway.example:9001', 'gateway.example:9001', [], false], // DNS rebinding looks just like this
    ['null', '127.0.0.1:9001', [], false],
    ['null', undefined, [], false],
    ['nonsense', 'nonsense', [], false],
    ['https://dash.example', 'gateway.example', ['https://dash.example'], true],
    ['https://dash.example:8443', 'gateway.example', ['https://dash.example'], false],
    ['http://dash.example', 'gateway.example', ['https://dash.example'], false],
    ['https://dash.example.evil.example', 'gateway.example', ['https://dash.example'], false],
    ['https://any.example', 'gateway.example', ['*'], true],
    ['null', 'gateway.example', ['null'], true],
  ]
  test.for(cases)('of %s at %s with %j may use the listener: %s', ([origin, host, allowed, may]) => {
    expect(originIsAllowed({ origin, host, allowed })).toBe(may)
  })

  test('that are listed come in', async () => {
    const { listener } = await echo({ url, origins: ['https://dash.example'] })
    await webSocket(listener.address, { origin: 'https://dash.example' })
    await expect(webSocket(listener.address, { origin: 'https://other.example' })).rejects.toThrow('403')
  })
})

describe('messages', () => {
  test('may cut packets anywhere [MQTT-6.0.0-2]: the bytes come in order, and large ones whole', async () => {
    const { listener } = await echo({ url })
    const socket = await webSocket(listener.address)
    const sent = randomBytes(300_000)
    const received: Buffer[] = []
    socket.on('message', (data: Buffer) => received.push(data))
    for (let at = 0, step = 1; at < sent.length; at += step, step = Math.min(step * 3, 60_000)) {
      socket.send(sent.subarray(at, at + step), { fin: true })
      await new Promise(setImmediate)
    }
    await until(() => received.reduce((sum, { length }) => sum + length, 0) === sent.length)
    expect(Buffer.concat(received).equals(sent)).toBe(true)
  })

  test('that are text close the connection [MQTT-6.0.0-1]', async () => {
    const { listener, streams } = await echo({ url })
    const socket = await webSocket(listener.address)
    socket.send('text')
    expect([1003, 1006]).toContain(await closeCode(socket))
    await until(() => streams[0]?.destroyed === true)
  })

  const invalid: [what: string, bytes: Buffer][] = [
    ['are not masked', frame(BINARY, Buffer.from('x'), { masked: false })],
    ['have a reserved opcode', frame(3, Buffer.from('x'))],
    ['continue nothing', frame(CONTINUATION, Buffer.from('x'))],
    ['claim 2^40 bytes', frame(BINARY, Buffer.from('x'), { claimed: 2 ** 40 })],
    [
      'claim more than a message may have',
      frame(BINARY, Buffer.alloc(1), { claimed: MESSAGE_BYTES_MAX + 1 }),
    ],
    ['are compressed without agreement', Buffer.from([0xc2, 0x81, 0, 0, 0, 0, 1])],
    ['are a ping of 126 bytes', frame(9, Buffer.alloc(126))],
    [
      'come in more frames than are allowed',
      Buffer.concat([
        frame(BINARY, Buffer.from('x'), { fin: false }),
        ...Array.from({ length: 1_000 }, () => frame(CONTINUATION, Buffer.from('x'), { fin: false })),
      ]),
    ],
  ]
  test.for(invalid)('that %s close the connection', async ([, bytes]) => {
    const { port, streams } = await echo({ url })
    const socket = await upgraded(port)
    socket.write(bytes)
    await untilClosed(socket)
    await until(() => streams[0]?.destroyed === true)
  })

  test('of a stranger that never end are ended before they fill memory', async () => {
    const { port, streams } = await echo({ url })
    const socket = await upgraded(port)
    socket.write(frame(BINARY, Buffer.alloc(STRANGER_MESSAGE_BYTES_MAX / 2), { claimed: MESSAGE_BYTES_MAX }))
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(streams[0]?.destroyed).toBe(false)
    socket.write(Buffer.alloc(STRANGER_MESSAGE_BYTES_MAX / 2))
    await untilClosed(socket)
    await until(() => streams[0]?.destroyed === true)
  })

  test('of who has had an answer may be as large as any', async () => {
    const { listener } = await echo({ url })
    const socket = await webSocket(listener.address)
    socket.send(Buffer.from('login'))
    await message(socket)
    let bytes = 0
    socket.on('message', (data: Buffer) => (bytes += data.length))
    socket.send(Buffer.alloc(MESSAGE_BYTES_MAX))
    await until(() => bytes === MESSAGE_BYTES_MAX)
  })
})

describe('the stream', () => {
  test('holds back a peer that sends faster than is read', async () => {
    const { port, streams } = await echo({ url })
    const socket = await upgraded(port)
    const stream = streams[0]
    stream?.pause()
    const piece = frame(BINARY, Buffer.alloc(16_000))
    for (let n = 0; n < 2_000; n += 1) socket.write(piece)
    await new Promise((resolve) => setTimeout(resolve, 300))
    // What the stream holds is its own buffer and one read of the system; the rest waits at the peer.
    expect(stream?.readableLength).toBeLessThan(200_000)
    expect(socket.writableLength).toBeGreaterThan(10_000_000)
    expect(stream?.destroyed).toBe(false)
  })

  test('shows what a peer that does not read leaves waiting', async () => {
    const { port, streams } = await echo({ url })
    const socket = await upgraded(port)
    socket.pause()
    const stream = streams[0]
    for (let n = 0; n < 1_000; n += 1) stream?.write(Buffer.alloc(16_000))
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(stream?.writableLength).toBeGreaterThan(5_000_000)
  })

  test('ends where the peer closes, after what it sent', async () => {
    const { listener, streams } = await echo({ url })
    const socket = await webSocket(listener.address)
    const stream = streams[0]
    stream?.removeAllListeners('data').pause()
    let got = ''
    socket.send(Buffer.from('last words'))
    socket.close(1000)
    await new Promise((resolve) => setTimeout(resolve, 100))
    stream?.on('data', (chunk: Buffer) => (got += chunk.toString())).resume()
    await until(() => stream?.destroyed === true)
    expect(got).toBe('last words')
  })

  test('ended by us sends all and closes the WebSocket', async () => {
    const { listener, streams } = await echo({ url })
    const socket = await webSocket(listener.address)
    const words = message(socket)
    streams[0]?.end(Buffer.from('last words'))
    expect((await words).toString()).toBe('last words')
    expect(await closeCode(socket)).toBe(1005)
    await until(() => streams[0]?.destroyed === true)
  })

  test('is destroyed where the peer goes without a word, and the peer gone where it is destroyed', async () => {
    const { listener, streams } = await echo({ url })
    const one = await webSocket(listener.address)
    one.terminate()
    await until(() => streams[0]?.destroyed === true)
    const two = await webSocket(listener.address)
    streams[1]?.destroy()
    expect(await closeCode(two)).toBe(1006)
  })

  test('answers pings, and does not pile up answers that nobody reads', async () => {
    const { listener, port } = await echo({ url })
    const socket = await webSocket(listener.address)
    socket.ping('x')
    await once(socket, 'pong')
    const flooding = await upgraded(port)
    flooding.pause()
    const pings = Buffer.concat(Array.from({ length: 1_000 }, () => frame(9, Buffer.alloc(100))))
    for (let n = 0; n < 50; n += 1) flooding.write(pings)
    const served = message(socket)
    socket.send(Buffer.from('served'))
    expect((await served).toString()).toBe('served')
    flooding.destroy()
  })
})
