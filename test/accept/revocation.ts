import { setTimeout as sleep } from 'node:timers/promises'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import { type Harness, scaled } from '../support/harness.ts'
import { type LocalSite, localSite } from '../support/local-site.ts'

const TOPIC = 'headgate/GW-9/tilt-1/in'
const IN_FORCE_MS_MAX = 1_000
/** How long nothing may come, ms. */
const QUIET_MS = 300

type Who = 'admin' | 'mia'

const connect = (site: LocalSite, who: Who, options: IClientOptions = {}): Promise<MqttClient> =>
  mqtt.connectAsync(site.broker, {
    username: `home:${who}`,
    password: site.keys[who],
    reconnectPeriod: 0,
    ...options,
  })

/** Texts that a client has been sent. */
function heard(client: MqttClient): string[] {
  const texts: string[] = []
  client.on('message', (_topic, payload) => texts.push(payload.toString()))
  return texts
}

async function change(site: LocalSite, what: 'share' | 'revoke'): Promise<void> {
  const { ok, status } = await site.post(`/v1/${what}`, 'admin', { thing: 'tilt-1', to: 'home:mia' })
  if (!ok) throw new Error(`${what}: ${status}`)
}

/** One round: shown, heard, revoked; what came through afterwards by any way, and how long the revocation took, ms. */
async function round(site: LocalSite, number: number): Promise<{ leaks: string[]; tookMs: number }> {
  await change(site, 'share')
  const admin = await connect(site, 'admin')
  const stored = { clean: false, clientId: `away-${number}` } as const
  const away = await connect(site, 'mia', stored)
  await away.subscribeAsync('headgate/#', { qos: 1 })
  await away.endAsync(true)
  const live = await connect(site, 'mia', { clientId: `live-${number}` })
  const seen = heard(live)
  await live.subscribeAsync(['headgate/#', '+/+/+/in'], { qos: 1 })
  const before = `before ${number}`
  await admin.publishAsync(TOPIC, before, { qos: 1, retain: true })
  const late = Date.now() + 10_000
  while (!seen.includes(before) && Date.now() < late) await sleep(10)
  const leaks = seen.includes(before) ? [] : ['what was shared was not delivered']

  const closed = new Promise<void>((resolve) =>
    live.once('close', () => {
      resolve()
    }),
  )
  const started = performance.now()
  await change(site, 'revoke')
  await Promise.race([closed, sleep(5_000)])
  const tookMs = performance.now() - started
  const after = `after ${number}`
  await admin.publishAsync(TOPIC, after, { qos: 1 })

  const again = mqtt.connect(site.broker, {
    ...{ username: 'home:mia', password: site.keys.mia, reconnectPeriod: 0 },
    ...stored,
  })
  const restored = heard(again)
  const [{ sessionPresent }] = await new Promise<[{ sessionPresent: boolean }]>((resolve) =>
    again.once('connect', (packet) => {
      resolve([packet])
    }),
  )
  if (sessionPresent) leaks.push('the stored session is still there')
  await again.subscribeAsync('headgate/#', { qos: 1 })
  const peeks = await again.subscribeAsync('$SYS/#').then(
    () => true,
    () => false,
  )
  if (peeks) leaks.push('$SYS')
  await sleep(QUIET_MS)
  if (seen.includes(after)) leaks.push('the open connection')
  if (restored.some((text) => text === before || text === after)) leaks.push('queue, retained or session')
  await Promise.all([again.endAsync(true), admin.endAsync(true), live.endAsync(true)])
  return { leaks, tookMs }
}

export const harness: Harness = {
  what: 'a revoked share gives nothing by any way, and its connections are closed within a second',
  async run({ scale, progress }) {
    const rounds = scaled(100, scale)
    const site = await localSite()
    const failures: string[] = []
    const times: number[] = []
    try {
      for (let number = 1; number <= rounds; number += 1) {
        const { leaks, tookMs } = await round(site, number)
        failures.push(...leaks.map((way) => `round ${number}: ${way}`))
        times.push(tookMs)
        if (number % 10 === 0) progress(`${number} of ${rounds}`)
      }
    } finally {
      await site.end()
    }
    const slowestMs = Math.round(Math.max(...times))
    // At a small scale other work shares this machine: only the whole run judges the time.
    if (scale >= 1 && slowestMs > IN_FORCE_MS_MAX) failures.push(`a revocation took ${slowestMs} ms`)
    return { figures: { rounds, slowestMs }, failures }
  },
}
