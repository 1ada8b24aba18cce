import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { demoDevices, simulatedField } from '../../agent/cli/demo/field.ts'
import { demoLayout, KEY_NAME } from '../../agent/cli/demo/layout.ts'
import { Rig } from '../../agent/cli/demo/rig.ts'
import { loadProfile } from '../../hardware/index.ts'
import { shippedProfile } from '../support/shipped-profile.ts'

const devices = demoDevices({ address: '1' }).slice(0, 4)
const dir = mkdtempSync(join(tmpdir(), 'headgate-orgs-'))
const rig = new Rig({ layout: demoLayout(devices), field: simulatedField({ devices, dir }), dir })
const shared = rig.layout.share.device
const [acme, borealis] = rig.watchers
if (acme === undefined || borealis === undefined) throw new Error('the demo has two clients')

/** What a device publishes: a topic for each of its sensors. */
const readingTopics = (id: string): string[] => {
  const { profile } = devices.find((device) => device.id === id) ?? { profile: '' }
  const sensors = new Set(loadProfile(shippedProfile(profile)).channels.map(({ sensor }) => sensor))
  return [...sensors].map((sensor) => `headgate/GW-DEMO/${id}/${sensor}/readings`)
}
const idsOf = (organisation: string): string[] =>
  devices.filter((device) => device.organisation === organisation).map(({ id }) => id)
const readings = (topics: Iterable<string>): string[] =>
  [...topics].filter((topic) => topic.endsWith('/readings')).sort()
const allOf = (...ids: string[]): string[] => ids.flatMap(readingTopics).sort()

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const late = Date.now() + 60_000
  while (!(await holds())) {
    if (Date.now() > late) throw new Error(`never: ${what}`)
    await sleep(100)
  }
}

/** Changes the directory and waits until the gateway decides by it. */
async function andInForce(change: () => Promise<unknown>): Promise<void> {
  const before = (await rig.gatewayState())?.policy.version ?? 0
  await change()
  await until('policy in force', async () => ((await rig.gatewayState())?.policy.version ?? 0) > before)
}

/** The policy to the other organisation stays when a share ends: the share is all that is made again. */
async function shareAgain(): Promise<string> {
  const basic = Buffer.from(`acme:${KEY_NAME}:${rig.layout.keys['acme'] ?? ''}`).toString('base64')
  const thing = { kind: 'device', resource: `GW-DEMO/${shared}` }
  const response = await fetch(`${rig.cloud().http}/v1/organisations/acme/shares`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${basic}`,
      'content-type': 'application/json',
      'idempotency-key': 'shared-again',
    },
    body: JSON.stringify({ thing, to: { kind: 'org', org: 'borealis' } }),
  })
  expect(response.status).toBe(201)
  return ((await response.json()) as { grant: string }).grant
}

beforeAll(async () => {
  await rig.start()
}, 60_000)

afterAll(async () => {
  await rig.stop()
  rmSync(dir, { recursive: true, force: true })
}, 60_000)

test('a client that subscribes to # gets exactly what its organisation may see', {
  timeout: 120_000,
}, async () => {
  const ofAcme = allOf(...idsOf('acme'))
  const ofBorealis = allOf(...idsOf('borealis'), shared)
  await until('all topics seen', () => {
    const seen = [readings(acme.received().keys()).length, readings(borealis.received().keys()).length]
    return seen[0] === ofAcme.length && seen[1] === ofBorealis.length
  })
  await sleep(3000)
  expect(readings(acme.received().keys())).toEqual(ofAcme)
  expect(readings(borealis.received().keys())).toEqual(ofBorealis)
  expect([...borealis.received().keys()]).not.toContain('headgate/GW-DEMO/status')
})

test('a share that is revoked while the client is connected ends at once', { timeout: 120_000 }, async () => {
  await andInForce(() => rig.revoke())
  await sleep(500)
  borealis.forget()
  acme.forget()
  await until(
    'acme goes on',
    () => readings(acme.received().keys()).length === allOf(...idsOf('acme')).length,
  )
  await sleep(2000)
  expect(readings(borealis.received().keys())).toEqual(allOf(...idsOf('borealis')))
})

test('a share that is revoked while the client is away gives nothing when its session comes back', {
  timeout: 120_000,
}, async () => {
  let again = ''
  await andInForce(async () => {
    again = await shareAgain()
  })
  borealis.forget()
  await until('shared again', () =>
    readings(borealis.received().keys()).some((topic) => topic.includes(shared)),
  )
  await borealis.away()
  await sleep(2500)
  await andInForce(() => rig.revoke(again))
  await sleep(1000)
  borealis.forget()
  await borealis.start()
  await until(
    'its own',
    () => readings(borealis.received().keys()).length >= allOf(...idsOf('borealis')).length,
  )
  await sleep(2000)
  expect(readings(borealis.received().keys())).toEqual(allOf(...idsOf('borealis')))
})
