import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import type { Transport } from '../../../broker/index.ts'
import { havePeer, testWith } from '../../support/peers.ts'
import { type Site, startSite } from './site.ts'

const SCRIPT = resolve(import.meta.dirname, '../../peers/paho-client.py')
const run = promisify(execFile)
let site: Site

beforeAll(async () => {
  if (havePeer('openssl')) site = await startSite()
})
afterAll(async () => {
  if (havePeer('openssl')) await site.stop()
})

/** Runs the client; answers what it saw. */
async function paho(transport: string, at: Transport, login: object): Promise<Record<string, unknown[]>> {
  const { hostname: host, port } = new URL(site.url(at))
  const task = { transport, host, port: Number(port), ...login }
  const { stdout } = await run('/usr/bin/python3', [SCRIPT, JSON.stringify(task)], { timeout: 60_000 })
  return JSON.parse(stdout) as Record<string, unknown[]>
}

const password = { username: 'paho', password: 'right' }
const LARGE = 100_000

describe.for([
  ['tcp', 'tcp', () => password],
  ['tls', 'tls', () => ({ ca: site.authority.cert, ...site.certificateOf('paho') })],
  ['websockets', 'ws', () => password],
  ['wss', 'wss', () => ({ ca: site.authority.cert, ...password })],
] as const)('python3-paho-mqtt over %s', ([transport, at, login]) => {
  testWith('paho', 'openssl')('exchanges everything', { timeout: 120_000 }, async () => {
    const from = `paho/${transport}`
    expect(await paho(transport, at, login())).toEqual({
      exchange: [
        [`${from}/kept`, 'kept', 1, true],
        ...[0, 1, 2].map((qos) => [`${from}/${qos}`, LARGE, qos, false]),
      ],
      will: [[`${from}/will`, 'gone', 1, false]],
      session: ['1', '2', '3'].map((n) => [`${from}/queue`, n, 1, false]),
    })
  })
})

testWith('paho', 'openssl')("python3-paho-mqtt with a stranger's certificate does not get in", async () => {
  const { Authority } = await import('../../support/certificates.ts')
  const stranger = new Authority(site.folder, 'stranger')
  const refused = paho('tls', 'tls', { ca: site.authority.cert, ...stranger.client('paho') })
  await expect(refused).rejects.toThrow()
})
