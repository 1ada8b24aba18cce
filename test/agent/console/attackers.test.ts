import { once } from 'node:events'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONNACK, connectPacket, PUBACK, PUBLISH, publishPacket } from '../../support/mqtt-bytes.ts'
import { RawClient } from '../../support/raw-client.ts'
import { type LocalSite, localSite } from '../../support/local-site.ts'

let site: LocalSite
beforeAll(async () => {
  site = await localSite()
}, 120_000)
afterAll(() => site.end())

const gone = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.resume()
    socket.once('close', () => {
      resolve()
    })
  })

/** The first line of the answer to bytes as they are. */
async function said(bytes: string, localAddress = '127.0.0.1'): Promise<string> {
  const { hostname, port } = new URL(site.url)
  const socket = connect({ host: hostname, port: Number(port), localAddress })
  socket.on('error', () => undefined)
  socket.end(bytes)
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString()))
  await gone(socket)
  return text.split('\r\n')[0] ?? ''
}

async function askedFor(host: string): Promise<number> {
  const { hostname, port } = new URL(site.url)
  const asking = request({ hostname, port, path: '/v1/policy', method: 'POST', headers: { host } })
  asking.end('no policy')
  const [response] = (await once(asking, 'response')) as [{ statusCode: number; resume: () => void }]
  response.resume()
  return response.statusCode
}

describe('whoever can reach the console and has no key', () => {
  test('gets nothing by a name that was made to lead there (DNS rebinding)', async () => {
    const { port } = new URL(site.url)
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1.evil.example',
      'localhost.evil.example',
    ])
      expect([host, await askedFor(host)]).toEqual([host, 403])
    for (const host of [`127.0.0.1:${port}`, 'localhost', `[::1]:${port}`, '192.0.2.7'])
      expect([host, await askedFor(host)]).toEqual([host, 409])
  })

  test.for([
    '/v1/../../etc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/v1/status/..%2f..%2fgateway.key',
    '//v1/status',
    '/v1/status%00',
    'http://evil.example/v1/status',
  ])('reads no file and no fact by %s', async (path) => {
    expect(await said(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`)).toMatch(
      / (400|401|403|404) /,
    )
  })

  test('cannot have two requests read out of one (RFC 9112, 6.1 and 6.3)', async () => {
    const smuggled = 'GET /v1/claim HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'
    const heads = [
      `Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
      `Content-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    ]
    for (const head of heads)
      expect(await said(`POST /v1/policy HTTP/1.1\r\nHost: 127.0.0.1\r\n${head}`)).toBe(
        'HTTP/1.1 400 Bad Request',
      )
  })

  test('is cut off at nine megabytes, and at nine kilobytes of header', async () => {
    const large = await fetch(`${site.url}/v1/policy`, {
      method: 'POST',
      body: Buffer.alloc(9 * 1024 * 1024),
    })
    expect(large.status).toBe(413)
    const head = `X-Large: ${'a'.repeat(9 * 1024)}`
    expect(await said(`GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n${head}\r\n\r\n`)).toContain(' 431 ')
  })

  test('keeps nobody else out by holding connections that say little, and loses them', async () => {
    const { hostname, port } = new URL(site.url)
    const held: Socket[] = []
    for (let at = 0; at < 80; at += 1) {
      const socket = connect({ host: hostname, port: Number(port), localAddress: '127.0.0.2' })
      socket.on('error', () => undefined)
      socket.write('GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-')
      held.push(socket)
    }
    const closed = held.map(gone)
    expect((await site.get('/v1/status', 'admin')).status).toBe(200)
    await Promise.all(closed)
    expect((await site.get('/v1/status', 'admin')).status).toBe(200)
  }, 60_000)
})

describe('at the broker', () => {
  const open = (): RawClient => new RawClient(Number(new URL(site.broker.replace('tcp:', 'http:')).port))

  test.for([
    ['home:admin', 'wrong'],
    ['home:nobody', 'wrong'],
    ['nowhere:admin', 'wrong'],
    ['admin', 'wrong'],
    ['home:admin', ''],
    ['home:\u{1f98a}', 'wrong'],
  ])(
    'whatever is wrong with a login, it has one answer: %s with %j',
    async ([username = '', password = '']) => {
      const client = open()
      client.send(connectPacket({ clientId: 'attacker', username, password }))
      // Bad user name or password (MQTT 3.1.1, 3.2.2.3).
      expect([...(await client.answer(CONNACK)).body]).toEqual([0, 4])
      client.destroy()
    },
  )

  test('a member without a share hears nothing by any filter, and makes nobody else hear anything', async () => {
    const login = (who: 'admin' | 'mia') =>
      RawClient.open(Number(new URL(site.broker.replace('tcp:', 'http:')).port), {
        clientId: `attack-${who}`,
        username: `home:${who}`,
        password: site.keys[who],
      })
    const [admin, mia] = [await login('admin'), await login('mia')]
    const heard = { admin: [] as string[], mia: [] as string[] }
    for (const [who, client] of [
      ['admin', admin],
      ['mia', mia],
    ] as const)
      client.onPacket = (seen) => {
        if (seen.type === PUBLISH) heard[who].push(seen.bytes.toString('latin1', seen.start, seen.end))
      }
    const filters = [
      ...['#', '+/#', '+/+/+/+', 'headgate/#', 'headgate/GW-9/+/in', 'headgate/GW-9/tilt-1/#'],
      ...['$SYS/#', '$share/g/headgate/#', '$share/g/#', 'HEADGATE/#', 'headgate//GW-9/#', '/#'],
      ...[
        'headgate/GW-9/tilt-1/in',
        'headgate/GW-9/tilt-1/in/',
        'headgate/GW-9/tilt-1/./in',
        'headgate/GW-9/tilt\u20111/in',
      ],
    ]
    const codes = await mia.subscribe(filters, 1)
    expect(filters.filter((_, at) => codes[at] === 0x80)).toEqual(
      expect.arrayContaining(['$SYS/#', '$share/g/headgate/#', '$share/g/#', 'headgate/GW-9/tilt-1/in']),
    )
    await admin.subscribe(['#'], 1)
    const topics = [
      'tilt-1/in',
      'tilt-1/cmd',
      'tilt-1/cmd/result',
      'tilt-1/status',
      'status',
      'tilt-1/main/readings',
    ]
    const forged = [
      ...topics.map((end) => `headgate/GW-9/${end}`),
      '$SYS/broker',
      'headgate/GW-9/tilt-1/in\ufeff',
      'x',
    ]
    for (const [at, topic] of forged.entries()) {
      mia.send(
        publishPacket({ topic, payload: Buffer.from('forged'), qos: 1, id: at + 1, retain: at % 2 === 0 }),
      )
      await mia.answer(PUBACK)
    }
    admin.send(
      publishPacket({ topic: 'headgate/GW-9/tilt-1/in', payload: Buffer.from('real'), qos: 1, id: 1 }),
    )
    await admin.answer(PUBACK)
    // An answer to this comes after everything that was written before.
    await Promise.all([admin.subscribe(['headgate/+'], 0), mia.subscribe(['headgate/+'], 0)])
    expect(heard.admin.filter((text) => text.includes('forged'))).toEqual([])
    expect(heard.admin.some((text) => text.includes('real'))).toBe(true)
    expect(heard.mia.filter((text) => text.includes('real') || text.includes('forged'))).toEqual([])
    admin.destroy()
    mia.destroy()
  })
})
