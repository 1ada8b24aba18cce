import { once } from 'node:events'
import { connect as dial } from 'node:net'
import { expect, test } from 'vitest'
import { BrokerError } from '../../../broker/index.ts'
import { Refusals } from '../../../broker/listen/refusals.ts'
import { answerTo, echo, plain, untilClosed, webSocket } from './echo.ts'

test('a plain listener serves, and says who came', async () => {
  const { listener, port, peers } = await echo({ url: 'tcp://127.0.0.1:0' })
  const socket = await plain(port)
  expect(await answerTo(socket, 'hello')).toBe('hello')
  expect(listener.address).toBe(`tcp://127.0.0.1:${port}`)
  const remote = `127.0.0.1:${socket.localPort ?? 0}`
  expect(peers).toEqual([{ remote, address: '127.0.0.1', transport: 'tcp', certificate: null }])
  await listener.reload()
})

test('an IPv4 client of a listener for both has its IPv4 address', async () => {
  const { listener, port, peers } = await echo({ url: 'tcp://[::]:0' })
  await answerTo(await plain(port), 'hello')
  const six = dial({ port, host: '::1' })
  await answerTo(six, 'hello')
  six.destroy()
  expect(peers.map(({ address }) => address)).toEqual(['127.0.0.1', '::1'])
  expect(peers[1]?.remote).toMatch(/^\[::1\]:\d+$/)
  expect(listener.address).toBe(`tcp://[::]:${port}`)
})

test.for([
  ['tcp://0.0.0.0:0', 1],
  ['ws://[::]:0', 1],
  ['tcp://127.0.0.1:0', 0],
  ['tcp://127.8.8.8:0', 0],
  ['ws://[::1]:0', 0],
  ['ws://localhost:0', 0],
] as const)('%s is warned of %d times', async ([url, times]) => {
  const { log } = await echo({ url })
  expect(log.filter(({ message }) => message.includes('not encrypted'))).toHaveLength(times)
})

test('takes as many connections as are allowed, and no more until one ends', async () => {
  const { port, refused } = await echo({ url: 'tcp://127.0.0.1:0' }, 2)
  const [first] = await Promise.all([plain(port), plain(port)])
  const third = await plain(port)
  await untilClosed(third)
  expect(refused).toEqual(['full'])
  await answerTo(first, 'still here')
  first.end()
  await untilClosed(first)
  expect(await answerTo(await plain(port), 'served')).toBe('served')
})

test('closed, it leaves connections open and ends handshakes', async () => {
  const { listener, port } = await echo({ url: 'ws://127.0.0.1:0' })
  const open = await webSocket(listener.address)
  const waiting = await plain(port)
  listener.close()
  await untilClosed(waiting)
  open.send(Buffer.from('still here'))
  const [data] = (await once(open, 'message')) as [Buffer]
  expect(data.toString()).toBe('still here')
  const late = dial({ port, host: '127.0.0.1' })
  const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException]
  expect(error.code).toBe('ECONNREFUSED')
})

test('a port that is taken, and an address of another machine, are said', async () => {
  const { listener } = await echo({ url: 'ws://127.0.0.1:0/mqtt' })
  for (const url of [listener.address, 'tcp://192.0.2.1:1']) {
    const failed = await echo({ url }).catch((error: unknown) => error)
    expect(failed).toBeInstanceOf(BrokerError)
    expect(failed).toMatchObject({ code: 'BROKER_LISTEN_FAILED' })
  }
})

test('a flood of refusals is one line in ten seconds for each reason, with their number', () => {
  const lines: object[] = []
  const quiet = (): void => undefined
  const log = { info: quiet, error: quiet, warn: (detail: object) => lines.push(detail) }
  let now = 0
  let told = 0
  const refusals = new Refusals({ listener: 'x', log, onRefused: () => (told += 1), now: () => now })
  for (let n = 0; n < 1_000; n += 1) {
    now = n * 15
    refusals.note('slow', { remote: `r${n}` })
    if (n % 500 === 0) refusals.note('tls', { remote: 'r', reason: 'bad' })
  }
  expect(told).toBe(1_002)
  expect(lines).toEqual([
    { listener: 'x', remote: 'r0', times: 1 },
    { listener: 'x', remote: 'r', reason: 'bad', times: 1 },
    { listener: 'x', remote: 'r667', times: 667 },
  ])
})
