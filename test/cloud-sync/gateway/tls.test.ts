import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { RecordingCloud } from './recording-cloud.ts'
import { cloudKey, gatewayId, gatewayKey, makeBench, root, startAedes } from './link-bench.ts'
import { cloudIdOf } from '../../../cloud-sync/codec/index.ts'

const OPENSSL = 'openssl'

/** A self-signed certificate for 127.0.0.1; undefined where openssl is missing. */
function certificate(): { cert: string; key: string } | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-tls-'))
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const request = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
  ]
  const names = ['-subj', '/CN=cloud.test', '-addext', 'subjectAltName=IP:127.0.0.1']
  try {
    execFileSync(OPENSSL, [...request, ...names, '-keyout', key, '-out', cert], { stdio: 'ignore' })
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
  } catch {
    return undefined
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const made = certificate()

test.skipIf(made === undefined)(
  'over TLS the broker must show a certificate of the configured authority',
  async () => {
    if (made === undefined) return
    const plain = await startAedes()
    const broker = await startAedes(made)
    const url = `mqtts://127.0.0.1:${String(broker.port)}`
    const cloudId = cloudIdOf(root.publicKey)
    const cloud = new RecordingCloud({
      gateway: gatewayId,
      gatewayKey: gatewayKey.publicKey,
      cloudId,
      key: cloudKey,
    })
    const trusting = await makeBench({ brokerPort: plain.port, uplink: { url, tls: { ca: made.cert } } })
    const doubting = await makeBench({ brokerPort: plain.port, uplink: { url } })
    try {
      await cloud.start(url, made.cert)
      trusting.outbox.add('rd', 'rd 1')
      await trusting.uplink.start(new AbortController().signal)
      await expect.poll(() => cloud.items('rd'), { timeout: 60_000 }).toEqual(['rd 1'])
      expect(trusting.uplink.status().bytesOut).toBeGreaterThan(500)
      await doubting.uplink.start(new AbortController().signal)
      await expect.poll(() => doubting.log.join(), { timeout: 60_000 }).toContain('self-signed certificate')
      expect(doubting.uplink.status().connects).toBe(0)
    } finally {
      for (const one of [trusting, doubting, cloud, broker, plain]) await one.stop()
    }
  },
)
