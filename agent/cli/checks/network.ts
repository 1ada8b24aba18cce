import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { createSecureContext } from 'node:tls'
import { BrokerError, type ListenerSpec, tryListener } from '../../../broker/index.ts'
import type { CloudConfig, Config } from '../../config/config.ts'
import { fail, type Finding, type Look, ok, reasonOf, warn } from './finding.ts'

const CONNECT_MS_MAX = 3_000
const DAY_MS = 86_400_000
const EXPIRY_DAYS_WARN = 30

/** null where a TCP connection is taken, else why not. */
export async function canConnect(host: string, port: number): Promise<string | null> {
  const socket = connect({ host, port })
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_MS_MAX) })
    return null
  } catch (error) {
    return error instanceof Error && error.name === 'AbortError' ? 'no answer' : reasonOf(error)
  } finally {
    // What it says after this is of no interest.
    socket.on('error', () => undefined)
    socket.destroy()
  }
}

/** Whether each listener of broker and console can be taken. */
export async function checkListeners({ broker, console }: Config, isRunning: boolean): Promise<Finding[]> {
  const places = [
    ...broker.listen.map((spec) => ({ check: 'broker', spec })),
    ...(console === null
      ? []
      : [{ check: 'console', spec: { url: `tcp://${bracketed(console.host)}:${console.port}` } }]),
  ]
  const found = places.map(async ({ check, spec }): Promise<Finding[]> => {
    const look = { check, subject: spec.url.replace(/^tcp:\/\//, '') }
    const listening = await canListen(look, spec, isRunning)
    const { tls } = spec
    if (tls === undefined || listening.state === 'fail') return [listening]
    const files = [tls.cert, ...(tls.ca === undefined ? [] : [tls.ca])]
    const certificates = { check: 'certificates', subject: files.join(', ') }
    return [listening, expiryOf(certificates, files, 'Renew them, then send the gateway a SIGHUP.')]
  })
  return (await Promise.all(found)).flat()
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host)

async function canListen(look: Look, spec: ListenerSpec, isRunning: boolean): Promise<Finding> {
  try {
    await tryListener(spec)
    return ok(look, 'is free')
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    if (error.code !== 'BROKER_LISTEN_FAILED')
      return fail(look, `${error.code}: ${error.message}`, error.hint)
    const reason = reasonOf(error.cause)
    if (reason === 'EADDRINUSE' && isRunning)
      return ok(look, 'is taken, as it must be: the gateway is running')
    return fail(look, `cannot be listened on (${reason})`, listenHint(reason))
  }
}

function listenHint(reason: string): string {
  switch (reason) {
    case 'EADDRINUSE':
      return 'End the program that holds it (`ss -ltnp` names it), or choose another port.'
    case 'EACCES':
      return 'Choose a port above 1023, or give the gateway CAP_NET_BIND_SERVICE.'
    default:
      return 'Name an address of this machine.'
  }
}

/** Key, certificates, and whether somebody takes the connection; the gateway works on without. */
export async function checkCloud(cloud: CloudConfig): Promise<Finding[]> {
  const { hostname, port, protocol } = new URL(cloud.url)
  const host = hostname.replace(/^\[|\]$/g, '')
  const usual = protocol === 'mqtts:' ? 8883 : 1883
  const look = { check: 'cloud', subject: cloud.url }
  const reason = await canConnect(host, port === '' ? usual : Number(port))
  return [
    reason === null
      ? ok(look, 'takes the connection')
      : warn(
          look,
          `cannot be reached (${reason}); all is kept meanwhile`,
          'Check cloud.url, DNS and the firewall.',
        ),
    ok(
      { check: 'cloud key', subject: cloud.trust },
      'must be what `headgate cloud --print-trust` prints there',
    ),
    ...checkCertificates(cloud),
  ]
}

function checkCertificates({ ca, cert, key }: CloudConfig): Finding[] {
  if (ca === null && cert === null) return []
  const look = { check: 'certificates', subject: [ca, cert, key].filter((file) => file !== null).join(', ') }
  try {
    const text = (file: string | null) => (file === null ? undefined : readFileSync(file, 'utf8'))
    createSecureContext({ ca: text(ca), cert: text(cert), key: text(key) })
    return [
      expiryOf(
        look,
        [ca, cert].flatMap((file) => (file === null ? [] : [file])),
        'Get new ones from whoever runs the cloud, in time.',
      ),
    ]
  } catch (error) {
    return [fail(look, `cannot be used (${reasonOf(error)})`, 'Give PEM files; key must belong to cert.')]
  }
}

function expiryOf(look: Look, files: readonly string[], hint: string): Finding {
  const days = files.map((file) => {
    const { validTo } = new X509Certificate(readFileSync(file))
    return Math.floor((Date.parse(validTo) - Date.now()) / DAY_MS)
  })
  const left = Math.min(...days)
  if (left < 0) return fail(look, `expired ${-left} days ago`, hint)
  if (left < EXPIRY_DAYS_WARN) return warn(look, `valid for ${left} days`, hint)
  return ok(look, `valid for ${left} days`)
}
