import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { demoDevices, simulatedField } from '../../../agent/cli/demo/field.ts'
import { type Person, org } from '../../support/directory-client.ts'
import { type EdgeClient, EdgeSite, GATEWAY, inTopic, until } from '../../support/edge-site.ts'

const START_MS_MAX = 120_000
const CASE_MS_MAX = 180_000
const QUIET_MS = 300
const OFFLINE_AFTER_S = 3
const SILENCE_MS = 600_000

const folder = mkdtempSync(join(tmpdir(), 'headgate-field-'))
/** Of the host, which is given away with its gateway; of a guest, which stays; of the host, and does not answer. */
const IDS = ['moved', 'stays', 'mute'] as const
const simulated = demoDevices({ address: '1' })
  .slice(0, IDS.length)
  .map((device, index) => ({ ...device, id: IDS[index] ?? '' }))
const field = simulatedField({ devices: simulated, dir: folder })
let site: EdgeSite
const people: Record<string, Person> = {}
const keys: Record<string, string> = {}

const who = (name: string): Person => people[name] ?? { name, secret: '' }
const login = (name: string): string => `${OF[name] ?? ''}:${name}`
const OF: Readonly<Record<string, string>> = { ann: 'acorn', bob: 'birch', cas: 'cedar' }
const stored = (name: string) => ({ clean: false, clientId: `stored-${name}` }) as const

/** Asks the routes that a gateway's owner uses with the key of somebody. */
async function seenBy(name: string, path: string): Promise<Record<string, unknown>> {
  const basic = Buffer.from(`${login(name)}:${keys[name] ?? ''}`).toString('base64')
  return (await site.directory.asked(`GET ${path}`, { authorization: `Basic ${basic}` })).body
}
const devicesOf = async (name: string): Promise<string[]> =>
  ((await seenBy(name, '/v1/devices'))['devices'] as { id: string }[]).map(({ id }) => id)
const gatewaysOf = async (name: string): Promise<string[]> =>
  ((await seenBy(name, '/v1/gateways'))['gateways'] as { id: string }[]).map(({ id }) => id)
const readingsOf = async (
  name: string,
  device: string,
): Promise<{ organisation: string; takenAt: number }[]> =>
  (await seenBy(name, `/v1/readings?gateway=${GATEWAY}&device=${device}&limit=10000`))['readings'] as {
    organisation: string
    takenAt: number
  }[]

/** Readings counted for an organisation at the gateway. */
async function counted(organisation: string): Promise<number> {
  const registers = await site.usage()
  return registers
    .filter((one) => one.organisation === organisation && one.meter === 'sensor.readings')
    .reduce((sum, { end }) => sum + Number(end), 0)
}
/** The same as the ledger has posted it. */
async function posted(organisation: string): Promise<number> {
  const { posted: totals } = await site.directory.do('operator', `GET /v1/operator/ledger?gateway=${GATEWAY}`)
  return (totals as { org: string; meter: string; quantity: string }[])
    .filter(({ org: of, meter }) => of === organisation && meter === 'sensor.readings')
    .reduce((sum, { quantity }) => sum + Number(quantity), 0)
}

/** Goes away with a session that keeps what comes, and a message for it that is waiting. */
async function leaveQueue(name: string, device: string): Promise<void> {
  const client = await site.connect(login(name), keys[name] ?? '', stored(name))
  await client.mqtt.subscribeAsync(inTopic(device), { qos: 1 })
  await client.mqtt.endAsync(true)
  const teller = await site.connect(login(name), keys[name] ?? '')
  await teller.mqtt.publishAsync(inTopic(device), `retained for ${name}`, { qos: 1, retain: true })
  await teller.mqtt.publishAsync(inTopic(device), `queued for ${name}`, { qos: 1 })
  await teller.mqtt.endAsync(true)
}

beforeAll(async () => {
  await field.start()
  const devices = simulated.map(({ id, profile, address }) => ({
    id,
    profile,
    address,
    line: 'wire',
    every: '500ms',
  }))
  site = new EdgeSite({
    gateway: { lines: [field.line()], devices, usage: { interval: '5s' }, uplink: { batchAfter: '500ms' } },
    cloud: { alerts: { offlineAfterS: OFFLINE_AFTER_S } },
  })
  await site.beginCloud()
  const { directory } = site
  for (const [name, organisation] of Object.entries(OF)) {
    const person = (people[name] = await directory.person(name, organisation))
    keys[name] = await directory.key(person, organisation)
  }
  await site.beginGateway('acorn')
  await site.inForce(async () => {
    const path = `POST ${org('acorn', `/gateways/${GATEWAY}/devices`)}`
    for (const device of ['moved', 'mute']) await directory.do(who('ann'), path, { device, name: device })
    const offered = { gateway: GATEWAY, device: 'stays', name: 'stays', guest: 'cedar' }
    const { hosting } = await directory.do(who('ann'), `POST ${org('acorn', '/hosted-devices')}`, offered)
    await directory.do(
      who('cas'),
      `POST ${org('cedar', `/hosted-devices/${String(hosting)}/acceptance`)}`,
      {},
    )
  })
  await until('both are in force', async () => (await devicesOf('cas')).includes('stays'))
}, START_MS_MAX)
afterAll(async () => {
  await site.end()
  await field.stop()
  rmSync(folder, { recursive: true, force: true })
}, START_MS_MAX)

/** Somebody wants to be told that a device does not answer. */
const watches = (name: string) =>
  site.directory.do(who(name), `POST ${org(OF[name] ?? '', '/alerts')}`, {
    ...{ name: 'Mute', resource: `${GATEWAY}/mute`, watch: { kind: 'offline' } },
  })
/** Who has been told that it does not, in the order in which they were. */
async function toldOfMute(): Promise<string[]> {
  const mails = await site.store.read.find('mail', {}, { orderBy: ['created_at', 'id'] })
  return mails
    .filter(({ subject }) => subject === `Alert: ${GATEWAY}/mute is offline`)
    .map(({ recipient }) => recipient.replace('@example.org', ''))
}

async function handOver(): Promise<{ transfer: string }> {
  const { directory } = site
  const transfers = (of: string, rest = ''): string => org(of, `/gateway-transfers${rest}`)
  const { transfer } = await directory.do(who('ann'), `POST ${transfers('acorn')}`, {
    gateway: GATEWAY,
    to: 'birch',
  })
  await directory.do(who('bob'), `POST ${transfers('birch', `/${String(transfer)}/acceptance`)}`, {})
  const late = await directory.http(who('ann'), `DELETE ${transfers('acorn', `/${String(transfer)}`)}`)
  expect(late.code).toBe('DIRECTORY_TRANSFER_CLOSED')
  return { transfer: String(transfer) }
}

const stateOf = async (transfer: string): Promise<unknown> => {
  const { items } = await site.directory.do(who('bob'), `GET ${org('birch', '/gateway-transfers')}`)
  return (items as { transfer: string; state: string }[]).find((one) => one.transfer === transfer)?.state
}

/** All that a client is sent within a while of subscribing to everything. */
async function listening(name: string): Promise<EdgeClient> {
  const client = await site.connect(login(name), keys[name] ?? '')
  await client.mqtt.subscribeAsync('#', { qos: 1 })
  return client
}

test('edge case 18: a gateway given away while offline stays with its owner until it cuts, and then nothing of before is left but the bill', {
  timeout: CASE_MS_MAX,
}, async () => {
  await until('readings of both are in the cloud', async () => {
    const [anns, cas] = [await readingsOf('ann', 'moved'), await readingsOf('cas', 'stays')]
    return anns.some(({ organisation }) => organisation === 'acorn') && cas.length > 0
  })
  await watches('ann')
  await field.silence('mute', SILENCE_MS)
  await until('her alert is open', async () => (await toldOfMute()).length > 0)
  await leaveQueue('ann', 'moved')
  await leaveQueue('cas', 'stays')
  const ann = await listening('ann')
  site.cutLink()
  const { transfer } = await handOver()
  // Accepted, and the gateway has not heard of it: the old owner's it is, here and there.
  await sleep(1_500)
  // A host may know how a guest's device is.
  expect(await Promise.all(['ann', 'bob'].map(devicesOf))).toEqual([['moved', 'mute', 'stays'], []])
  expect(await Promise.all(['ann', 'bob'].map(gatewaysOf))).toEqual([[GATEWAY], []])
  expect((await readingsOf('ann', 'moved')).length).toBeGreaterThan(0)
  expect(await readingsOf('bob', 'moved')).toEqual([])
  expect(await stateOf(transfer)).not.toBe('done')
  expect(ann.mqtt.connected).toBe(true)

  await site.inForce(() => {
    site.mendLink()
    return Promise.resolve()
  })
  await until('the cloud knows of the cut', async () => (await stateOf(transfer)) === 'done')
  // Her alert is over; that the device is still lost is news to its new owner, and to nobody else.
  const events = await site.store.read.find('alert_event', { resource: `${GATEWAY}/mute`, org: 'acorn' })
  expect(events.map(({ state }) => state)).toEqual(['over'])
  await watches('bob')
  await until('the old owner is out', () => !ann.mqtt.connected)
  const closedAt = await counted('acorn')
  const bob = await listening('bob')
  await until('the new owner is counted', async () => (await counted('birch')) > 0)
  expect(await counted('acorn')).toBe(closedAt)
  await until('all of the old epoch is posted', async () => (await posted('acorn')) === closedAt)
  await until('the new owner has readings', async () => (await readingsOf('bob', 'moved')).length > 0)

  // Nothing of before for the new owner, nothing of after for the old one, and nothing has changed for the guest.
  expect(bob.has('retained for ann') || bob.has('queued for ann')).toBe(false)
  expect(bob.heard.some((line) => line.startsWith(`headgate/${GATEWAY}/moved/`))).toBe(true)
  expect(new Set((await readingsOf('bob', 'moved')).map(({ organisation }) => organisation))).toEqual(
    new Set(['birch']),
  )
  expect(new Set((await readingsOf('ann', 'moved')).map(({ organisation }) => organisation))).toEqual(
    new Set(['acorn']),
  )
  expect(await Promise.all(['ann', 'bob', 'cas'].map(devicesOf))).toEqual([
    [],
    ['moved', 'mute', 'stays'],
    ['stays'],
  ])
  expect(await Promise.all(['ann', 'bob'].map(gatewaysOf))).toEqual([[], [GATEWAY]])
  await expect(site.connect(login('ann'), keys['ann'] ?? '')).rejects.toThrow()
  const cas = await site.connect(login('cas'), keys['cas'] ?? '', stored('cas'))
  await until('the guest has what waited', () => cas.has('queued for cas'))
  const again = await listening('cas')
  await sleep(QUIET_MS)
  expect(again.has('retained for cas')).toBe(true)
  await until('the new owner is told', async () => (await toldOfMute()).length > 1)
  expect(await toldOfMute()).toEqual(['ann', 'bob'])
  const verdict = await site.directory.do('operator', `GET /v1/operator/verify?gateway=${GATEWAY}`)
  expect(verdict['ok']).toBe(true)
})
