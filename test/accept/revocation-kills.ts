import { setTimeout as sleep } from 'node:timers/promises'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import { seeded } from '../support/delivery-world.ts'
import { type Harness, scaled } from '../support/harness.ts'
import { type LocalSite, localSite } from '../support/local-site.ts'

const KILLS = 50
const SEED = 20_261_122
const TOPIC = 'headgate/GW-9/tilt-1/in'
/** From the asking for a revocation to the kill, ms at most: it is in force and committed after some ten. */
const KILL_MS_MAX = 25
/** How long nothing may come, ms. */
const QUIET_MS = 300

type Who = 'admin' | 'mia'
const STORED = { clean: false, clientId: 'mia-stored' } as const

const connect = (site: LocalSite, who: Who, options: IClientOptions = {}): Promise<MqttClient> =>
  mqtt.connectAsync(site.broker, {
    ...{ username: `home:${who}`, password: site.keys[who], reconnectPeriod: 0 },
    ...options,
  })

async function change(site: LocalSite, what: 'share' | 'revoke'): Promise<void> {
  const { ok, status } = await site.post(`/v1/${what}`, 'admin', { thing: 'tilt-1', to: 'home:mia' })
  if (!ok) throw new Error(`${what}: ${status}`)
}

async function published(site: LocalSite, text: string): Promise<void> {
  const admin = await connect(site, 'admin')
  await admin.publishAsync(TOPIC, text, { qos: 1 })
  await admin.endAsync(true)
}

async function mayRead(site: LocalSite): Promise<boolean> {
  const why = await site.get('/v1/why?right=data.read&thing=tilt-1', 'mia')
  return ((await why.json()) as { allowed: boolean }).allowed
}

/** What comes to mia's stored session, which subscribes to nothing anew. */
async function comes(site: LocalSite): Promise<string[]> {
  const heard: string[] = []
  const client = mqtt.connect(site.broker, {
    ...{ username: 'home:mia', password: site.keys.mia, reconnectPeriod: 0 },
    ...STORED,
  })
  client.on('message', (topic, payload) => {
    if (topic === TOPIC) heard.push(payload.toString())
  })
  await new Promise<void>((resolve) => {
    client.once('connect', () => {
      resolve()
    })
  })
  await sleep(QUIET_MS)
  await client.endAsync(true)
  return heard
}

/** Shown, queued for, revoked and killed at once: after the start nothing of it comes, also when it is shown again. */
async function round(site: LocalSite, killMs: number): Promise<{ revoked: boolean; leaks: string[] }> {
  if (!(await mayRead(site))) await change(site, 'share')
  const away = await connect(site, 'mia', STORED)
  await away.subscribeAsync('headgate/#', { qos: 1 })
  await away.endAsync(true)
  await published(site, 'queued')
  const asked = change(site, 'revoke').catch(() => undefined)
  await sleep(killMs)
  await site.restart('SIGKILL')
  await asked
  if (await mayRead(site)) {
    const came = (await comes(site)).includes('queued')
    return { revoked: false, leaks: came ? [] : ['what was queued and not revoked did not come'] }
  }
  await published(site, 'meanwhile')
  const leaks = (await comes(site)).map((text) => `${text}, after the start`)
  await change(site, 'share')
  leaks.push(...(await comes(site)).map((text) => `${text}, once it was shown again`))
  return { revoked: true, leaks }
}

export const harness: Harness = {
  what: 'A gateway killed while it puts a revocation in force gives nothing of what it took away when it is back.',
  async run({ scale, progress }) {
    const rounds = scaled(KILLS, scale, 2)
    const random = seeded(SEED)
    const site = await localSite()
    const failures: string[] = []
    let revoked = 0
    try {
      for (let number = 1; number <= rounds; number += 1) {
        // The last one of a short run is late enough to be in force.
        const killMs = number === rounds ? 4 * KILL_MS_MAX : random() * KILL_MS_MAX
        const got = await round(site, killMs)
        if (got.revoked) revoked += 1
        failures.push(...got.leaks.map((leak) => `kill ${number}, ${Math.round(killMs)} ms: ${leak}`))
        progress(`${number} of ${rounds} kills, ${revoked} of them after the commit`)
      }
    } finally {
      await site.end()
    }
    if (revoked === 0) failures.push('no revocation was ever in force before the kill')
    return { figures: { seed: SEED, kills: rounds, revoked }, failures }
  },
}
