import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HANDSHAKES_MAX } from '../../../broker/listen/limits.ts'
import { Authority, type CertificateFiles } from '../../support/certificates.ts'
import { havePeer } from '../../support/peers.ts'
import { until } from '../support.ts'
import { answerTo, echo, encrypted, folderForTest, plain, untilClosed } from './echo.ts'

const made = mkdtempSync(join(tmpdir(), 'headgate-tls-'))
let authority: Authority
let stranger: Authority
let server: CertificateFiles
const hasOpenssl = havePeer('openssl')

beforeAll(() => {
  if (!hasOpenssl) return
  authority = new Authority(made)
  stranger = new Authority(made, 'stranger')
  server = authority.server()
})
afterAll(() => {
  rmSync(made, { recursive: true })
})

const read = ({ cert, key }: CertificateFiles): { cert: Buffer; key: Buffer } => ({
  cert: readFileSync(cert),
  key: readFileSync(key),
})
const trusting = (): { ca: Buffer } => ({ ca: readFileSync(authority.cert) })
const url = 'tls://127.0.0.1:0'

describe.skipIf(!hasOpenssl)('a TLS listener', () => {
  test('serves whoever trusts its certificate, and knows nothing of who that is', async () => {
    const { port, peers, listener } = await echo({ url, tls: server })
    const socket = await encrypted(port, trusting())
    expect(await answerTo(socket, 'again')).toBe('again')
    expect(listener.address).toBe(`tls://127.0.0.1:${port}`)
    const remote = `127.0.0.1:${socket.localPort ?? 0}`
    expect(peers).toEqual([{ remote, address: '127.0.0.1', transport: 'tls', certificate: null }])
  })

  test('speaks nothing older than TLS 1.2', async () => {
    const { port, refused } = await echo({ url, tls: server })
    const old = { ...trusting(), minVersion: 'TLSv1', maxVersion: 'TLSv1.1' } as const
    await expect(encrypted(port, { ...old, ciphers: 'DEFAULT@SECLEVEL=0' })).rejects.toThrow()
    await until(() => refused.length === 1)
    expect(refused).toEqual(['tls'])
    await encrypted(port, { ...trusting(), maxVersion: 'TLSv1.2' })
  })

  test.for([
    ['a certificate that is not there', { cert: '/none.pem' }, /\/none.pem cannot be read/],
    ['a key that is no key', { key: import.meta.filename }, /PEM|DECODER|key/i],
    ['an authority that is none', { ca: import.meta.filename, clientCertificate: 'require' }, /PEM|ca/i],
  ] as const)('with %s is refused', async ([, change, message]) => {
    const opened = echo({ url, tls: { ...server, ...change } })
    await expect(opened).rejects.toMatchObject({
      code: 'BROKER_TLS_INVALID',
      message: expect.stringMatching(message) as string,
    })
  })

  test("with another certificate's key is refused", async () => {
    const opened = echo({ url, tls: { cert: server.cert, key: authority.server().key } })
    await expect(opened).rejects.toMatchObject({ code: 'BROKER_TLS_INVALID' })
  })
})

describe.skipIf(!hasOpenssl)('a client certificate', () => {
  const asking = (clientCertificate: 'request' | 'require') =>
    echo({ url, tls: { ...server, ca: authority.cert, clientCertificate } })

  test.for(['request', 'require'] as const)('that is good is told, where it is %sd', async (ask) => {
    const { port, peers } = await asking(ask)
    const extensions = ['extendedKeyUsage=clientAuth', 'subjectAltName=DNS:pump.example,URI:urn:pump:7']
    await encrypted(port, { ...trusting(), ...read(authority.client('acme:scada', extensions)) })
    expect(peers[0]?.certificate).toEqual({
      commonName: 'acme:scada',
      subjectAltNames: ['DNS:pump.example', 'URI:urn:pump:7'],
      fingerprint256: expect.stringMatching(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/) as string,
      serialNumber: expect.stringMatching(/^[0-9A-F]+$/) as string,
    })
  })

  test('may be missing where it is requested, and not where it is required', async () => {
    const requesting = await asking('request')
    await encrypted(requesting.port, trusting())
    expect(requesting.peers[0]?.certificate).toBeNull()
    const requiring = await asking('require')
    await expect(encrypted(requiring.port, trusting())).rejects.toThrow()
    expect(requiring.peers).toEqual([])
  })

  test.for(['request', 'require'] as const)(
    'that is not good never comes in, where it is %sd',
    async (ask) => {
      const { port, peers, refused } = await asking(ask)
      const forServers = authority.client('acme:scada', ['extendedKeyUsage=serverAuth'])
      for (const files of [stranger.client('acme:scada'), forServers]) {
        await expect(encrypted(port, { ...trusting(), ...read(files) })).rejects.toThrow()
      }
      await until(() => refused.length === 2)
      expect(peers).toEqual([])
    },
  )

  test('whose names try to be several names is taken at its word', async () => {
    const { port, peers } = await asking('require')
    const names = ['extendedKeyUsage=clientAuth', 'subjectAltName=@names', '[names]', 'URI.1=urn:a, DNS:b']
    await encrypted(port, { ...trusting(), ...read(authority.client('two\nCN=acme:scada', names)) })
    expect(peers[0]?.certificate?.commonName).not.toBe('acme:scada')
    expect(peers[0]?.certificate?.subjectAltNames).toEqual(['URI:urn:a, DNS:b'])
  })
})

describe.skipIf(!hasOpenssl)('after a reload', () => {
  const fingerprint = (socket: TLSSocket): string => socket.getPeerCertificate().fingerprint256

  /** Files of a listener, in a folder of the test, that can be replaced. */
  function replaceable(files: CertificateFiles): CertificateFiles & {
    readonly replace: (by: CertificateFiles) => void
  } {
    const folder = folderForTest()
    const own = { cert: join(folder, 'a.pem'), key: join(folder, 'a.key') }
    const replace = (by: CertificateFiles): void => {
      copyFileSync(by.cert, own.cert)
      copyFileSync(by.key, own.key)
    }
    replace(files)
    return { ...own, replace }
  }

  test('connections stay open, and new ones see the new certificate', async () => {
    const { replace, ...tls } = replaceable(server)
    const { port, listener } = await echo({ url, tls })
    const before = await encrypted(port, trusting())
    replace(authority.server())
    await listener.reload()
    const after = await encrypted(port, trusting())
    expect(fingerprint(after)).not.toBe(fingerprint(before))
    expect(await answerTo(before, 'still here')).toBe('still here')
  })

  test('with a certificate that cannot be used the old one stays, and the reload says why', async () => {
    const { replace, ...tls } = replaceable(server)
    const { port, listener } = await echo({ url, tls })
    const before = await encrypted(port, trusting())
    writeFileSync(tls.cert, 'nonsense')
    await expect(listener.reload()).rejects.toMatchObject({ code: 'BROKER_TLS_INVALID' })
    copyFileSync(authority.server().cert, tls.cert)
    await expect(listener.reload()).rejects.toMatchObject({ code: 'BROKER_TLS_INVALID' })
    expect(fingerprint(await encrypted(port, trusting()))).toBe(fingerprint(before))
    replace(authority.server())
    await listener.reload()
  })

  test('who was let in by the old authority is not let in again, by an old session either', async () => {
    const folder = folderForTest()
    const ca = join(folder, 'ca.pem')
    copyFileSync(authority.cert, ca)
    const { port, listener, peers } = await echo({
      url,
      tls: { ...server, ca, clientCertificate: 'require' },
    })
    const client = { ...trusting(), ...read(authority.client('acme:scada')) }
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      copyFileSync(authority.cert, ca)
      await listener.reload()
      let session: Buffer | undefined
      const first = await encrypted(port, { ...client, maxVersion })
      session = first.getSession()
      first.on('session', (newer: Buffer) => (session = newer))
      await answerTo(first, 'x')
      const resumed = await encrypted(port, { ...client, maxVersion, ...(session && { session }) })
      expect(resumed.isSessionReused()).toBe(true)
      expect(peers.at(-1)?.certificate?.commonName).toBe('acme:scada')
      copyFileSync(stranger.cert, ca)
      await listener.reload()
      const again = encrypted(port, { ...client, maxVersion, ...(session && { session }) })
      await expect(again).rejects.toThrow()
    }
    expect(peers).toHaveLength(4)
  })
})

describe.skipIf(!hasOpenssl)('a TLS handshake', () => {
  test('that is never finished is ended after five seconds, and holds up nobody', async () => {
    const { port, refused } = await echo({ url, tls: server })
    const began = performance.now()
    const silent = await plain(port)
    const started = await plain(port)
    started.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])) // a ClientHello that goes no further
    const halfOpen = await plain(port)
    halfOpen.end()
    const honest = await encrypted(port, trusting())
    await Promise.all([silent, started].map(untilClosed))
    expect(performance.now() - began).toBeGreaterThan(4_000)
    expect(refused.filter((reason) => reason === 'slow')).toHaveLength(2)
    expect(await answerTo(honest, 'still here')).toBe('still here')
  })

  test('that is none is closed', async () => {
    const { port, refused } = await echo({ url, tls: server })
    const socket = await plain(port)
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await untilClosed(socket)
    await until(() => refused.length === 1)
    expect(refused).toEqual(['tls'])
  })

  test('is served among more stalled ones than may wait: the longest go', async () => {
    const { port, refused, log } = await echo({ url, tls: server })
    const stalled = await Promise.all(Array.from({ length: HANDSHAKES_MAX + 40 }, () => plain(port)))
    const honest = await encrypted(port, trusting())
    await until(() => refused.length >= 41)
    expect(await answerTo(honest, 'served')).toBe('served')
    expect(new Set(refused)).toEqual(new Set(['crowded', 'tls']))
    expect(stalled.filter(({ closed, readableEnded }) => closed || readableEnded).length).toBeLessThan(60)
    // One line for each kind of refusal, not one for each stranger.
    expect(log.filter(({ level }) => level === 'warn').length).toBeLessThanOrEqual(2)
  })

  test('counts as a connection', async () => {
    const { port, refused } = await echo({ url, tls: server }, 2)
    const first = await plain(port)
    await encrypted(port, trusting())
    await expect(encrypted(port, trusting())).rejects.toThrow()
    expect(refused).toEqual(['full'])
    first.destroy()
    await once(first, 'close')
    await until(() => refused.length === 2)
    await encrypted(port, trusting())
  })
})
