import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { demoDevices, simulatedField } from '../../../agent/cli/demo/field.ts'
import { type Person, org } from '../../support/directory-client.ts'
import { EdgeSite, GATEWAY, until } from '../../support/edge-site.ts'
import { logsIn } from '../../support/edge-teller.ts'

const START_MS_MAX = 120_000
const CASE_MS_MAX = 120_000
const OFFLINE_AFTER_S = 3
const SILENCE_MS = 600_000

const folder = mkdtempSync(join(tmpdir(), 'headgate-field-'))
const motes = demoDevices({ address: '1' })
  .slice(0, 4)
  .map((device, index) => ({ ...device, id: `mote-${index + 1}` }))
const field = simulatedField({ devices: motes, dir: folder })
let site: EdgeSite
let pia: Person

const adds = (device: string) =>
  site.directory.do(
    pia,
    `POST ${org('ranch', `/gateways/${GATEWAY}/devices`)}`,
    { device, name: device },
    'prime',
  )
const joins = async (name: string): Promise<Person> => {
  const who = await site.directory.person(name)
  await site.directory.joins(who, { to: 'prime', by: pia, role: 'super-installer' })
  return who
}

beforeAll(async () => {
  await field.start()
  site = new EdgeSite({
    gateway: {
      console: { listen: '127.0.0.1:0' },
      lines: [field.line()],
      devices: motes.map(({ id, profile, address }) => ({
        id,
        profile,
        address,
        line: 'wire',
        every: '500ms',
      })),
      uplink: { batchAfter: '500ms' },
    },
    cloud: { alerts: { offlineAfterS: OFFLINE_AFTER_S } },
  })
  await site.beginCloud()
  pia = await site.directory.person('pia', 'prime', { type: 'partner', preset: 'meter.me' })
  const customer = { id: 'ranch', name: 'Ranch', systems: ['House'], lead: 'lea@example.org' }
  await site.directory.do(pia, `POST ${org('prime', '/customers')}`, customer)
  await site.beginGateway('ranch')
  await adds('mote-1')
}, START_MS_MAX)
afterAll(async () => {
  await site.end()
  await field.stop()
  rmSync(folder, { recursive: true, force: true })
}, START_MS_MAX)

const offlineMails = async (resource: string) =>
  (await site.store.read.find('mail', {})).filter(
    ({ subject }) => subject === `Alert: ${resource} is offline`,
  )
const isMissed = async (resource: string): Promise<boolean> => {
  const open = { kind: 'offline', resource, state: 'open' } as const
  return (await site.store.read.get('alert_event', open)) !== undefined
}
/** Who is told that this is offline, by an event that begins after this was asked. */
async function listen(resource: string): Promise<() => Promise<string[]>> {
  // A slow machine may have been away for the 3 s before: that was told, and is over.
  await until(`${resource} is there`, async () => !(await isMissed(resource)))
  const before = new Set((await offlineMails(resource)).map(({ id }) => id))
  return async () =>
    (await offlineMails(resource))
      .filter(({ id }) => !before.has(id))
      .map(({ recipient }) => recipient.replace('@example.org', ''))
      .sort()
}
const answering = (device: string) =>
  until(`${device} answers`, async () =>
    (await site.state()).devices.some(({ id, health }) => id === device && health === 'ok'),
  )
async function lost(device: string): Promise<string[]> {
  await answering(device)
  const resource = `${GATEWAY}/${device}`
  const told = await listen(resource)
  await field.silence(device, SILENCE_MS)
  await until(`${device} is missed`, () => isMissed(resource))
  return told()
}

test('edge case 24: a device and a member that came later are in it by themselves, and who opted out on site without a link is not, when it is heard of', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { directory } = site
  const max = await joins('max')
  const key = await site.inForce(() => directory.key(max, 'prime'))
  await until('max is known on site', () => logsIn(site, 'prime:max', key))
  expect(await lost('mote-1')).toEqual(['max', 'pia'])
  // Later than everything: one more person, and one more device, with no row about alerts for either.
  await joins('nell')
  await site.inForce(() => adds('mote-2'))
  expect(await site.store.read.find('alert_opt_out', {})).toEqual([])
  expect(await site.store.read.find('alert_rule', {})).toEqual([])
  expect(await lost('mote-2')).toEqual(['max', 'nell', 'pia'])

  // Opted out for one device, at a gateway that tells nobody yet: its owner only misses that one.
  await site.inForce(() => adds('mote-3'))
  site.cutLink()
  const asMax = { login: 'prime:max', key }
  const out = await site.console('/v1/opt-out', asMax, { thing: 'mote-3', alert: 'offline' })
  expect(out.status).toBe(200)
  expect(await site.store.read.find('alert_opt_out', {})).toEqual([])
  site.mendLink()
  const isOut = { user: 'max', device: `${GATEWAY}/mote-3`, kind: 'offline' } as const
  await until(
    'the cloud has heard of it',
    async () => (await site.store.read.get('alert_opt_out', isOut)) !== undefined,
  )
  expect(await lost('mote-3')).toEqual(['nell', 'pia'])
})

test('edge case 24: a device that was swapped goes on being missed until it is removed, and its component keeps both', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { directory } = site
  await site.inForce(() => adds('mote-4'))
  await answering('mote-4')
  const [old, next] = [`${GATEWAY}/mote-1`, `${GATEWAY}/mote-4`]
  const components = org('ranch', '/components')
  const tank = { name: 'Tank', device: old }
  const { component } = await directory.do(pia, `POST ${components}`, tank, 'prime')
  const removal = `DELETE ${org('ranch', `/gateways/${GATEWAY}/devices/mote-1`)}`
  // What serves something is not removed.
  expect((await directory.http(pia, removal, undefined, 'prime')).code).toBe('DIRECTORY_EXISTS')
  await directory.do(pia, `PUT ${components}/${String(component)}/device`, { device: next }, 'prime')
  const { items } = await directory.do(pia, `GET ${components}`, undefined, 'prime')
  const [listed] = items as { device: string; history: { device: string; until: number | null }[] }[]
  expect(listed).toMatchObject({ device: next, history: [{ device: old }, { device: next, until: null }] })

  // Swapped and still there: it goes on being missed, and is told once.
  const before = (await offlineMails(old)).length
  const goesAway = async (): Promise<string[]> => {
    const told = await listen(GATEWAY)
    await site.killGateway()
    await until('the gateway is missed', () => isMissed(GATEWAY))
    const people = await told()
    await site.startGateway()
    await until('it is back', async () => !(await isMissed(GATEWAY)))
    return people
  }
  // While the gateway is away nothing is told of what is behind it.
  expect(await goesAway()).toEqual(['max', 'nell', 'pia'])
  expect(await offlineMails(next)).toEqual([])
  expect(await offlineMails(old)).toHaveLength(before)
  await directory.do(pia, removal, undefined, 'prime')
  await directory.do(
    pia,
    `PUT ${org('ranch', '/alert-opt-outs')}`,
    { resource: GATEWAY, kind: 'all', off: true },
    'prime',
  )
  // Opted out of the gateway is opted out of all on it, for oneself.
  expect(await goesAway()).toEqual(['max', 'nell'])
  expect(await offlineMails(old)).toHaveLength(before)
})
