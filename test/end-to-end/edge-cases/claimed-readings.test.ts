import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mqtt from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { demoDevices, simulatedField } from '../../../agent/cli/demo/field.ts'
import { differences } from '../../support/cli-json.ts'
import { claimSite, type SiteGateway } from '../../support/claim-site.ts'
import { ClaimScene } from '../../accept/claims/scene.ts'
import { until } from '../../support/edge-site.ts'

const CASE_MS_MAX = 180_000

/** By what the configuration says of each: nothing, the organisation that will own the gateway, another one. */
const ORGANISATIONS = { plain: null, proposed: 'acme', guest: 'borealis' } as const

async function fieldOf(): Promise<object> {
  const dir = mkdtempSync(join(tmpdir(), 'headgate-field-'))
  const ids = Object.keys(ORGANISATIONS)
  const devices = demoDevices({ address: '1' })
    .slice(0, ids.length)
    .map((device, at) => ({ ...device, id: ids[at] ?? '' }))
  const field = simulatedField({ devices, dir })
  onTestFinished(async () => {
    await field.stop()
    rmSync(dir, { recursive: true, force: true })
  })
  await field.start()
  const configured = devices.map(({ id, profile, address }) => {
    const organisation = ORGANISATIONS[id as keyof typeof ORGANISATIONS]
    return {
      ...{ id, profile, address, line: 'wire', every: '500ms' },
      ...(organisation !== null && { organisation }),
    }
  })
  return { lines: [field.line()], devices: configured, uplink: { batchAfter: '500ms', reconnectMax: '1s' } }
}

const listener = (gateway: SiteGateway, username: string) => {
  const password = `${username.split(':')[1] ?? ''}-key`
  return mqtt.connectAsync(gateway.broker(), { username, password, reconnectPeriod: 0 }, false)
}

/** Devices with readings among all that the broker sends. */
async function heardBy(gateway: SiteGateway, username: string): Promise<string[]> {
  const client = await listener(gateway, username)
  const devices = new Set<string>()
  let own = 0
  client.on('message', (topic) => {
    const [, , device = '', , what] = topic.split('/')
    if (what !== 'readings') return
    devices.add(device)
    if (device === 'plain') own += 1
  })
  await client.subscribeAsync('#', { qos: 1 })
  // The others are read in turns with this one.
  await until('readings come', () => own >= 3)
  await client.endAsync(true)
  return [...devices].sort()
}

/** Devices that the console shows to an API key; the status where it refuses. */
async function shownTo(gateway: SiteGateway, username: string): Promise<string[] | number> {
  const basic = Buffer.from(`${username}:${username.split(':')[1] ?? ''}-key`).toString('base64')
  const headers = { authorization: `Basic ${basic}` }
  const response = await fetch(`${gateway.console()}/v1/sensors`, { headers })
  if (!response.ok) return response.status
  const sensors = (await response.json()) as { device: string }[]
  return [...new Set(sensors.map(({ device }) => device))].sort()
}

async function seenAsItShould(gateway: SiteGateway): Promise<void> {
  await until('it is read', async () => (await shownTo(gateway, 'acme:ana')).toString() === 'plain,proposed')
  expect(await heardBy(gateway, 'acme:ana')).toEqual(['plain', 'proposed'])
  for (const outsider of ['borealis:bea', 'acme:nobody']) {
    expect(await shownTo(gateway, outsider)).toBe(401)
    await expect(listener(gateway, outsider)).rejects.toThrow(/bad username or password/i)
  }
}

test(
  'a gateway that was claimed without a link shows its readings to its owner and to nobody else, until the directory says more',
  async () => {
    const site = await claimSite(onTestFinished)
    const scene = await ClaimScene.at(site)
    const gateway = await site.addGateway('GW-8', [], await fieldOf())
    await gateway.start()
    scene.cut()
    expect(await shownTo(gateway, 'acme:ana')).not.toContain('plain')
    const { sealed } = await scene.ticket('acme:ana')
    expect((await scene.claim(gateway, sealed)).body['state']).toBe('provisional')
    await seenAsItShould(gateway)
    await scene.rejoin(gateway)
    await gateway.until('claimed')
    await seenAsItShould(gateway)

    const devicesOf = async (who: 'acme:ana' | 'borealis:bea') =>
      ((await site.ask(who, 'GET /v1/devices')).body['devices'] as { id: string }[]).map(({ id }) => id)
    expect(await devicesOf('acme:ana')).toEqual([])
    const added = await site.run('cloud', 'device', 'add', 'GW-8', 'plain', ...site.member('acme:ana'))
    expect(added).toMatchObject({ code: 0, json: { device: 'GW-8/plain' } })
    expect(differences('headgate cloud device', [added.json])).toEqual([])
    await until('the cloud shows it', async () => (await devicesOf('acme:ana')).includes('plain'))
    expect(await devicesOf('borealis:bea')).toEqual([])
    await seenAsItShould(gateway)
    await gateway.end('SIGTERM')
  },
  CASE_MS_MAX,
)
