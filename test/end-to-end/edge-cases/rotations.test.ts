import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { gatewayKey } from '../../../agent/identity.ts'
import { headgateJson } from '../../support/cli.ts'
import type { Person } from '../../support/directory-client.ts'
import { EdgeSite, GATEWAY, until } from '../../support/edge-site.ts'
import { listening, logsIn, Teller } from '../../support/edge-teller.ts'

const START_MS_MAX = 120_000
const CASE_MS_MAX = 120_000
const ROTATIONS = 3

const site = new EdgeSite()
let ada: Person
let adasKey = ''

beforeAll(async () => {
  await site.beginCloud()
  ada = await site.directory.person('ada', 'alpha')
  await site.beginGateway('alpha')
  adasKey = await site.inForce(() => site.addDevices(ada, 'alpha', ['gauge']))
}, START_MS_MAX)
afterAll(() => site.end(), START_MS_MAX)

interface Shown {
  readonly version: number
  readonly generation: number
  readonly freshness: string
}
const shown = async (): Promise<Shown> => (await site.socket('/v1/policy')) as Shown
const keys = async (...args: string[]): Promise<void> => {
  const { code, stdout } = await headgateJson(['cloud', 'keys', ...args, '--config', site.cloudConfig])
  if (code !== 0) throw new Error(stdout)
}
const share = () =>
  site.directory.share(ada, {
    of: 'alpha',
    device: `${GATEWAY}/gauge`,
    to: { kind: 'user', user: 'bob' },
  })

test('edge case 13: a gateway that was offline for three rotations and its cloud’s return from a backup follows by itself, and nobody is let in meanwhile', {
  timeout: CASE_MS_MAX,
}, async () => {
  const teller = await Teller.at(site, 'alpha:ada', adasKey)
  const { key, login } = await site.member('bob', { of: 'alpha', by: ada })
  await until('he is known', () => logsIn(site, login, key))
  // The backup knows bob, and not that he was ever shown anything.
  await site.stopCloud()
  const [data, backup] = [join(site.folder, 'cloud'), join(site.folder, 'backup')]
  mkdirSync(backup)
  const databases = () => readdirSync(data).filter((file) => file.includes('.db'))
  for (const file of databases()) cpSync(join(data, file), join(backup, file))
  await site.startCloud()
  await until('it is linked again', async () => (await site.state()).link?.['state'] === 'online')
  await site.inForce(share)
  const bob = await listening(site, login, key)
  await until('it is in force', () => teller.isHeardBy(bob, 'gauge'))
  const before = await shown()

  site.cutLink()
  await site.stopCloud()
  for (let rotation = 0; rotation < ROTATIONS; rotation += 1) await keys('rotate')
  for (const file of databases()) rmSync(join(data, file))
  for (const file of readdirSync(backup)) cpSync(join(backup, file), join(data, file))
  await keys('generation')
  await site.startCloud()
  expect(await teller.isHeardBy(bob, 'gauge')).toBe(true)
  site.mendLink()
  await until('it follows the cloud that came back', async () => {
    const { generation, freshness } = await shown()
    return generation > before.generation && freshness === 'fresh'
  })
  await until('what that cloud does not know of is over', () => !bob.mqtt.connected)
  const again = await listening(site, login, key)
  expect(await teller.isHeardBy(again, 'gauge')).toBe(false)
  await site.inForce(share)
  await until('and what it says now counts', () => teller.isHeardBy(again, 'gauge'))
})

test('edge case 13: a gateway whose organisation was founded anew, in a cloud that kept nothing but its keys, is its own again without a visit', {
  timeout: CASE_MS_MAX,
}, async () => {
  const before = await shown()
  const folder = join(site.folder, 'cloud')
  site.cutLink()
  await site.stopCloud()
  for (const file of readdirSync(folder)) if (file.startsWith('organisations.db')) rmSync(join(folder, file))
  await keys('generation')
  await site.startCloud()
  ada = await site.directory.person('ada', 'alpha')
  const { publicKey } = gatewayKey(join(site.folder, 'gateway'))
  const registered = { org: 'alpha', gateway: GATEWAY, publicKey }
  await site.directory.do('operator', 'POST /v1/operator/gateways', registered)
  const key = await site.addDevices(ada, 'alpha', ['gauge'])
  // Until it has heard of it, who was let in before is.
  expect(await logsIn(site, 'alpha:ada', adasKey)).toBe(true)
  site.mendLink()
  await until('it follows the cloud that began anew', async () => {
    const { generation, freshness } = await shown()
    return generation > before.generation && freshness === 'fresh'
  })
  const teller = await Teller.at(site, 'alpha:ada', key)
  await teller.say('gauge')
  // Whatever was made of the first founding is nobody's any more.
  expect(await logsIn(site, 'alpha:ada', adasKey)).toBe(false)
})
