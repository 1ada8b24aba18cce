import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { demoDevices, simulatedField } from '../../../agent/cli/demo/field.ts'
import { askReadings } from '../../../agent/local-api/client.ts'
import { cardOf } from '../../support/billing-world.ts'
import { headgateJson } from '../../support/cli.ts'
import { org, type Person } from '../../support/directory-client.ts'
import { type EdgeClient, EdgeSite, GATEWAY, inTopic, until } from '../../support/edge-site.ts'
import { freePort } from '../../support/free-port.ts'
import { figuresIn, getsOf, shownAt } from '../../support/usage-figures.ts'

const START_MS_MAX = 120_000
const CASE_MS_MAX = 180_000
const QUIET_MS = 3_000
const METER = 'sensor.readings'
/** Readings of the first device until its workspace is at its limit. */
const LIMIT = 30

const folder = mkdtempSync(join(tmpdir(), 'headgate-field-'))
const devices = demoDevices({ address: '1' })
  .slice(0, 2)
  .map((device, index) => ({ ...device, id: index === 0 ? 'xray' : 'yolk' }))
const field = simulatedField({ devices, dir: folder })
let site: EdgeSite
let ann: Person
let key: string
let metrics: string
let client: EdgeClient
const workspaces: Record<string, string> = {}

interface Sent {
  readonly channel: string
  readonly takenAt: number
}
const nameOf = ({ channel, takenAt }: Sent): string => `${takenAt} ${channel}`

/** What the cloud has of a device, each as often as it came. */
async function inCloud(device: string): Promise<string[]> {
  const authorization = `Basic ${Buffer.from(`acorn:ann:${key}`).toString('base64')}`
  const path = `/v1/readings?gateway=${GATEWAY}&device=${device}&limit=10000`
  const { body } = await site.directory.asked(`GET ${path}`, { authorization })
  return (body['readings'] as Sent[]).map(nameOf)
}
/** What the gateway stored of a device since it had an owner. */
async function atGateway(device: string): Promise<string[]> {
  const found: string[] = []
  for await (const reading of askReadings(join(site.folder, 'gateway'), { device }))
    if (reading.organisation === 'acorn') found.push(nameOf(reading))
  return found
}
const heardOf = (device: string): number =>
  client.heard.filter(
    (line) => line.startsWith(`headgate/${GATEWAY}/${device}/`) && line.includes('/readings'),
  ).length
const allocate = (workspace: string, limit: number) =>
  site.directory.http(ann, `PUT ${org('acorn', `/workspaces/${workspaces[workspace] ?? ''}/quotas`)}`, {
    quotas: { [METER]: limit },
  })
const isOver = async (): Promise<boolean> => (await site.state()).quotas.some(({ over }) => over)

beforeAll(async () => {
  await field.start()
  const configured = devices.map(({ id, profile, address }) => ({
    ...{ id, profile, address, line: 'wire', every: '500ms' },
  }))
  metrics = `127.0.0.1:${await freePort()}`
  site = new EdgeSite({
    gateway: {
      broker: { listen: ['tcp://127.0.0.1:0'], metrics: { listen: metrics } },
      console: { listen: '127.0.0.1:0' },
      lines: [field.line()],
      devices: configured,
      usage: { interval: '1s' },
      uplink: { batchAfter: '500ms' },
    },
  })
  await site.beginCloud()
  const { directory } = site
  ann = await directory.person('ann', 'acorn')
  key = await directory.key(ann, 'acorn')
  for (const workspace of ['x', 'y']) {
    // Both have one name: only the id is unique.
    const made = await directory.do(ann, `POST ${org('acorn', '/workspaces')}`, { name: 'Dam' })
    workspaces[workspace] = String(made['workspace'])
  }
  await site.beginGateway('acorn')
  await site.inForce(async () => {
    for (const [device, workspace] of [
      ['xray', 'x'],
      ['yolk', 'y'],
    ] as const)
      await directory.do(ann, `POST ${org('acorn', `/gateways/${GATEWAY}/devices`)}`, {
        ...{ device, name: device, workspace: workspaces[workspace] },
      })
  })
  client = await site.connect('acorn:ann', key)
  await client.mqtt.subscribeAsync(`headgate/${GATEWAY}/#`, { qos: 1 })
}, START_MS_MAX)
afterAll(async () => {
  await site.end()
  await field.stop()
  rmSync(folder, { recursive: true, force: true })
}, START_MS_MAX)

test('edge case 25: allocations beyond the account are refused, namesakes are not mixed up', async () => {
  await site.directory.do('operator', 'PATCH /v1/operator/organisations/acorn', {
    quotas: { [METER]: 1_000_000 },
  })
  expect((await allocate('y', 900_000)).status).toBe(200)
  expect(await allocate('x', 100_001)).toMatchObject({ code: 'DIRECTORY_QUOTA_EXCEEDED' })
  expect((await allocate('x', LIMIT)).status).toBe(200)
})

test(
  'edge case 25: the workspace over its limit waits, the other on the same gateway does not notice',
  async () => {
    await until('x is over its limit', isOver)
    const state = await site.state()
    expect(state.quotas.map(({ workspace, over }) => [workspace, over]).toSorted()).toEqual(
      [
        [workspaces['x'], true],
        [workspaces['y'], false],
      ].toSorted(),
    )
    // What was on its way when the limit was reached arrives.
    await sleep(QUIET_MS)
    const [xBefore, yBefore] = [await inCloud('xray'), await inCloud('yolk')]
    const [xHeard, yHeard] = [heardOf('xray'), heardOf('yolk')]
    const taken = (await atGateway('xray')).length
    await sleep(QUIET_MS)
    expect(await inCloud('xray')).toEqual(xBefore)
    expect((await inCloud('yolk')).length).toBeGreaterThan(yBefore.length)
    expect(heardOf('xray')).toBe(xHeard)
    expect(heardOf('yolk')).toBeGreaterThan(yHeard)
    // Taken and stored all the same.
    expect((await atGateway('xray')).length).toBeGreaterThan(taken)
    const refused = (await site.state()).broker['quarantined'] ?? 0
    await client.mqtt.publishAsync(inTopic('xray'), 'of x', { qos: 1 })
    await client.mqtt.publishAsync(inTopic('yolk'), 'of y', { qos: 1 })
    await until('y is told', () => client.has('of y'))
    expect(client.has('of x')).toBe(false)
    expect((await site.state()).broker['quarantined']).toBe(refused + 1)
  },
  CASE_MS_MAX,
)

test(
  'edge case 25: a limit that is raised while the gateway is offline releases everything once, when it is back',
  async () => {
    site.cutLink()
    expect((await allocate('x', 100_000)).status).toBe(200)
    await sleep(QUIET_MS)
    expect(await isOver()).toBe(true)
    site.mendLink()
    await until('x is under its limit', async () => !(await isOver()))
    const waited = await atGateway('xray')
    await until('all of x is in the cloud', async () => {
      const there = new Set(await inCloud('xray'))
      return waited.every((name) => there.has(name))
    })
    const there = await inCloud('xray')
    expect(new Set(there).size).toBe(there.length)
    const heard = heardOf('xray')
    await until('x is heard again', () => heardOf('xray') > heard)
  },
  CASE_MS_MAX,
)

test(
  'edge case 25: 80, 90 and 100 % are told once each',
  async () => {
    const listed = async (): Promise<number[]> => {
      const { items } = await site.directory.do(ann, `GET ${org('acorn', '/quota-warnings')}`)
      return (items as { workspace: string; step: number }[])
        .filter(({ workspace }) => workspace === workspaces['x'])
        .map(({ step }) => step)
        .toSorted((a, b) => a - b)
    }
    await until('all are told', async () => (await listed()).length >= 3)
    await sleep(QUIET_MS)
    expect(await listed()).toEqual([80, 90, 100])
    const mails = await site.store.read.find('mail', { recipient: 'ann@example.org' })
    const told = mails.filter(({ subject }) => subject.includes('of its limit'))
    expect(told.length).toBeGreaterThan(0)
    expect(new Set(told.map(({ subject }) => subject)).size).toBe(told.length)
  },
  CASE_MS_MAX,
)

/** What the ledger has of acorn, as whoever runs the cloud sees it. */
async function posted(): Promise<bigint> {
  const { posted: rows } = await site.directory.do('operator', `GET /v1/operator/ledger?gateway=${GATEWAY}`)
  const own = (rows as { org: string; meter: string; quantity: string }[]).filter(
    (row) => row.org === 'acorn' && row.meter === METER,
  )
  return own.reduce((sum, { quantity }) => sum + BigInt(quantity), 0n)
}

/** What was counted before the gateway was acorn's is its own local organisation's. */
const isOwn = (row: object): boolean => !('organisation' in row) || row.organisation === 'acorn'
const ownOf = (answer: unknown): unknown =>
  Array.isArray(answer) ? (answer as object[]).filter(isOwn) : answer

/** Every surface on which a person of acorn could find a figure of usage, and what it shows of one. */
async function everySurface(): Promise<Map<string, readonly string[]>> {
  const shown = new Map<string, readonly string[]>()
  const { directory } = site
  const values = { org: 'acorn', gateway: GATEWAY, device: 'xray', workspace: workspaces['x'] ?? '' }
  const session = `Bearer ${ann.secret}`
  const withKey = `Basic ${Buffer.from(`acorn:ann:${key}`).toString('base64')}`
  for (const path of getsOf(await directory.do(null, 'GET /v1/openapi.json'), values))
    shown.set(path, await shownAt(`${directory.url}${path}`, session))
  for (const path of ['/v1/usage', '/v1/gateways', '/v1/devices', `/v1/readings?gateway=${GATEWAY}&limit=5`])
    shown.set(path, await shownAt(`${directory.url}${path}`, withKey))

  const by = { login: 'acorn:ann', key }
  for (const path of ['/v1/usage', '/v1/status', '/v1/sensors'])
    shown.set(`console ${path}`, figuresIn((await site.console(path, by)).json))
  shown.set('socket /v1/usage', figuresIn((await site.usage()).filter(isOwn)))
  shown.set('socket /v1/status', figuresIn(await site.state()))
  const where = ['--data', join(site.folder, 'gateway')]
  const commands = [['usage'], ['status'], ['data', 'top']]
  const answers = await Promise.all(commands.map((command) => headgateJson([...command, ...where])))
  for (const [index, { code, json }] of answers.entries())
    shown.set(
      `headgate ${commands[index]?.join(' ') ?? ''}`,
      code === 0 ? figuresIn(ownOf(json)) : ['failed'],
    )
  return shown
}

const speaking = (shown: ReadonlyMap<string, readonly string[]>): string[] =>
  [...shown].flatMap(([surface, figures]) => (figures.length > 0 ? [surface] : []))

test(
  'I21 whoever is billed outside finds no figure of usage on any surface of cloud or gateway, and is metered as before',
  async () => {
    const assigned = { org: 'acorn', card: 'standard', from: `${new Date().toISOString().slice(0, 7)}-01` }
    // A sensor's day may be of whoever had it in the morning: only a fee is there for certain.
    const card = cardOf({ fees: [{ id: 'platform', perMonth: '31' }] })
    const book = { version: '1', cards: [card], assignments: [assigned] }
    await site.directory.do('operator', 'POST /v1/operator/prices', { book })
    const { who } = await site.member('mia', { of: 'acorn', by: ann, role: 'viewer' })
    const mias = await site.directory.key(who, 'acorn')
    await until('mia may log in', async () => {
      const { status } = await site.console('/v1/sensors', { login: 'acorn:mia', key: mias })
      return status === 200
    })
    // Who may not see the bills sees the limits, at most, and not what was used of them.
    expect(figuresIn((await site.console('/v1/status', { login: 'acorn:mia', key: mias })).json)).toEqual([])
    // What is looked for is found where it is shown: else the rest would prove nothing.
    expect(speaking(await everySurface())).toEqual(
      expect.arrayContaining([
        '/v1/usage',
        org('acorn', '/billing/statement'),
        org('acorn', '/billing/exports/csv'),
        org('acorn', '/billing/exports/evidence'),
        org('acorn', '/quota-warnings'),
        org('acorn', `/workspaces/${workspaces['x'] ?? ''}/quotas`),
        org('acorn', `/workspaces/${workspaces['x'] ?? ''}/usage`),
        ...['console /v1/usage', 'console /v1/status', 'socket /v1/usage', 'socket /v1/status'],
        ...['headgate usage', 'headgate status'],
      ]),
    )
    const { quotas } = await site.state()
    const used = Number(quotas.find(({ workspace }) => workspace === workspaces['y'])?.used)
    await site.inForce(() =>
      site.directory.do('operator', 'PATCH /v1/operator/organisations/acorn', { billing: 'external' }),
    )
    const [since, before] = [Date.now(), await posted()]
    // Over 80 % of this is used; the step is noted, and nobody is written to about it.
    expect((await allocate('y', Math.ceil(used * 1.1))).status).toBe(200)
    await until('y is near its limit', async () => {
      const steps = await site.store.read.find('quota_warning', { workspace: workspaces['y'] ?? '' })
      return steps.some(({ step }) => step === 80)
    })
    const mails = await site.store.read.find('mail', { recipient: 'ann@example.org' })
    const told = mails.filter(({ created_at: at, subject }) => at >= since && /(80|90) %/.test(subject))
    expect(told).toEqual([])
    const heard = client.heard.length

    await until('it is metered all the same', async () => (await posted()) > before)
    expect(speaking(await everySurface())).toEqual([])
    // The figures of the whole broker name nobody; those of its own topics are no usage.
    const page = await (await fetch(`http://${metrics}/metrics`)).text()
    expect(page).toContain('headgate_broker_')
    expect(page).not.toMatch(/acorn|xray|yolk|sensor\.|cell\.|storage\.max/)
    // What its broker tells beside readings names no meter and no figure either.
    const news = client.heard.slice(heard).filter((line) => !/^\S+\/(readings|in) /.test(line))
    for (const line of news) {
      const text = line.slice(line.indexOf(' ') + 1)
      expect([line, figuresIn(text.startsWith('{') ? JSON.parse(text) : {})]).toEqual([line, []])
    }
  },
  CASE_MS_MAX,
)
