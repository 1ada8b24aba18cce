import { createHash } from 'node:crypto'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect as dialTls, type TLSSocket } from 'node:tls'
import { once } from 'node:events'
import mqtt, { type IClientOptions } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { Authority } from '../../support/certificates.ts'
import { headgate, startHeadgate, testFolder } from '../../support/cli.ts'
import { testWith } from '../../support/peers.ts'

const keyHash = createHash('sha256').update('a-key').digest('hex')

/** The fingerprint that a listener shows. */
async function shown(port: number, ca: Buffer): Promise<string> {
  const socket: TLSSocket = dialTls({ port, host: '127.0.0.1', servername: 'localhost', ca })
  socket.on('error', () => undefined)
  await once(socket, 'secureConnect')
  const { fingerprint256 } = socket.getPeerCertificate()
  socket.destroy()
  return fingerprint256
}

testWith('openssl')(
  'a gateway lets in a certificate of a user, and renews its own on SIGHUP with nobody disconnected',
  { timeout: 120_000 },
  async () => {
    const folder = testFolder()
    const authority = new Authority(folder)
    const file = (name: string): string => join(folder, name)
    const install = ({ cert, key } = authority.server()): void => {
      copyFileSync(cert, file('broker.pem'))
      copyFileSync(key, file('broker.key'))
    }
    install()
    const tls = `cert: broker.pem, key: broker.key, ca: ${authority.cert}, clientCertificate: request`
    writeFileSync(
      file('gateway.yaml'),
      `gateway: { id: GW-1, dataDir: data }
broker: { listen: [{ url: "tls://127.0.0.1:0", tls: { ${tls} } }] }
organisation: { id: acme, name: Acme }
users: [{ name: ana, role: owner, keyHash: ${keyHash} }]
`,
    )
    const gateway = await startHeadgate(['gateway', '--config', file('gateway.yaml')])
    const port = Number(new URL(String((gateway.ready['broker'] as string[])[0])).port)
    const ca = readFileSync(authority.cert)
    const connect = (options: IClientOptions) =>
      mqtt.connectAsync(`mqtts://localhost:${port}`, { reconnectPeriod: 0, ca, ...options }, false)
    const withCertificate = (name: string): IClientOptions => {
      const files = authority.client(name)
      return { cert: readFileSync(files.cert), key: readFileSync(files.key) }
    }
    const ana = await connect(withCertificate('acme:ana'))
    onTestFinished(() => ana.endAsync(true))
    let closed = false
    ana.on('close', () => (closed = true))
    expect(await ana.subscribeAsync('headgate/GW-1/status')).toMatchObject([{ qos: 0 }])
    await expect(connect(withCertificate('acme:nobody'))).rejects.toThrow(/refused/i)
    await expect(connect({ ...withCertificate('acme:ana'), username: 'acme:ben' })).rejects.toThrow(
      /refused/i,
    )
    await expect(connect({})).rejects.toThrow(/refused/i)
    const byKey = await connect({ username: 'acme:ana', password: 'a-key' })
    await byKey.endAsync(true)

    const before = await shown(port, ca)
    const renewed = async (line: string): Promise<void> => {
      const stderr = gateway.child.stderr
      const said = new Promise<void>((resolve) => {
        stderr?.on('data', (chunk: Buffer) => {
          if (chunk.toString().includes(line)) resolve()
        })
      })
      gateway.child.kill('SIGHUP')
      await said
    }
    writeFileSync(file('broker.key'), 'nonsense')
    await renewed('the one that was in use stays in use')
    expect(await shown(port, ca)).toBe(before)
    install()
    await renewed('were read again')
    expect(await shown(port, ca)).not.toBe(before)
    expect(closed).toBe(false)
    await ana.unsubscribeAsync('headgate/GW-1/status') // it is still served
    expect((await gateway.end()).code).toBe(0)
  },
)

testWith('openssl')(
  'the broker alone serves every kind of listener, with certificates for its users',
  { timeout: 120_000 },
  async () => {
    const folder = testFolder()
    const authority = new Authority(folder)
    const { cert, key } = authority.server()
    const users = join(folder, 'users.yaml')
    writeFileSync(users, `users: [{ name: pump, keyHash: ${keyHash} }]\n`)
    const kinds = ['tcp', 'tls', 'ws', 'wss'].flatMap((kind) => ['--listen', `${kind}://127.0.0.1:0`])
    const tls = ['--tls-cert', cert, '--tls-key', key, '--tls-ca', authority.cert]
    const broker = await startHeadgate(['broker', ...kinds, ...tls, '--users', users])
    const urls = broker.ready['broker'] as string[]
    expect(urls.map((url) => url.replace(/\d+$/, ''))).toEqual(
      ['tcp', 'tls', 'ws', 'wss'].map((kind) => `${kind}://127.0.0.1:`),
    )
    const ca = readFileSync(authority.cert)
    const connect = async (url: string, options: IClientOptions): Promise<void> => {
      const all = { reconnectPeriod: 0, ca, ...options }
      const client = await mqtt.connectAsync(url.replace(/^tls:/, 'mqtts:'), all, false)
      await client.endAsync(true)
    }
    for (const url of urls) await connect(url, { username: 'pump', password: 'a-key' })
    const files = authority.client('pump')
    const own = { cert: readFileSync(files.cert), key: readFileSync(files.key) }
    for (const url of urls.filter((one) => /^(tls|wss):/.test(one))) {
      await connect(url, own)
      await expect(connect(url, { ...own, username: 'valve' })).rejects.toThrow(/refused/i)
      await expect(connect(url, {})).rejects.toThrow(/refused/i)
    }
    await broker.end()
  },
)

test.for([
  ['--tls-cert alone', ['--tls-cert', 'a.pem'], 2, 'USAGE'],
  ['certificates for nothing', ['--tls-cert', 'a.pem', '--tls-key', 'a.key'], 2, 'USAGE'],
  ['TLS without a certificate', ['--listen', 'tls://127.0.0.1:0'], 1, 'BROKER_LISTENER_INVALID'],
] as const)('the broker alone refuses %s', async ([, args, code, error]) => {
  const run = await headgate(['broker', ...args])
  expect(run.code).toBe(code)
  expect(run.stderr).toContain(error)
})
