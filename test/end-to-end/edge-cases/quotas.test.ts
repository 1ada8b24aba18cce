import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { demoDevices, simulatedField } from '../../../agent/cli/demo/field.ts'
import { askReadings } from '../../../agent/local-api/client.ts'
import { org, type Person } from '../../support/directory-client.ts'
import { type EdgeClient, EdgeSite, GATEWAY, inTopic, until } from '../../support/edge-site.ts'

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
  site = new EdgeSite({
    gateway: {
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
