import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { demoDevices, simulatedField } from '../../../agent/cli/demo/field.ts'
import { type Person, org } from '../../support/directory-client.ts'
import { EdgeSite, GATEWAY, until } from '../../support/edge-site.ts'

const START_MS_MAX = 120_000
const CASE_MS_MAX = 240_000
const MOTES = 40
const OFFLINE_AFTER_S = 3

const folder = mkdtempSync(join(tmpdir(), 'headgate-field-'))
/** Two answer on a line; the others are known to the cloud alone. */
const motes = demoDevices({ address: '1' })
  .slice(0, 2)
  .map((device, index) => ({ ...device, id: `mote-${index + 1}` }))
const field = simulatedField({ devices: motes, dir: folder })
let site: EdgeSite
let pia: Person
let lea: Person

beforeAll(async () => {
  await field.start()
  const devices = motes.map(({ id, profile, address }) => ({
    id,
    profile,
    address,
    line: 'wire',
    every: '500ms',
  }))
  site = new EdgeSite({
    gateway: { lines: [field.line()], devices, uplink: { batchAfter: '500ms' } },
    cloud: { alerts: { offlineAfterS: OFFLINE_AFTER_S } },
  })
  await site.beginCloud()
  const { directory } = site
  pia = await directory.person('pia', 'prime', { type: 'partner', preset: 'meter.me' })
  const customer = { id: 'ranch', name: 'Ranch', systems: ['House'], lead: 'lea@example.org' }
  await directory.do(pia, `POST ${org('prime', '/customers')}`, customer)
  lea = await directory.person('lea')
  await directory.accepts(lea)
  await site.beginGateway('ranch')
  for (let n = 1; n <= MOTES; n += 1) {
    const device = { device: `mote-${n}`, name: `Mote ${n}` }
    await directory.do(pia, `POST ${org('ranch', `/gateways/${GATEWAY}/devices`)}`, device, 'prime')
  }
  const max = await directory.person('max')
  await directory.joins(max, { to: 'prime', by: pia, role: 'super-installer' })
  const without = { resource: `${GATEWAY}/mote-1`, kind: 'all', off: true }
  await directory.do(max, `PUT ${org('ranch', '/alert-opt-outs')}`, without, 'prime')
}, START_MS_MAX)
afterAll(async () => {
  await site.end()
  await field.stop()
  rmSync(folder, { recursive: true, force: true })
}, START_MS_MAX)

/** `recipient subject` of every alert so far. */
async function alerts(): Promise<string[]> {
  const mails = await site.store.read.find('mail', {}, { orderBy: ['created_at', 'id'] })
  return mails
    .filter(({ subject }) => subject.startsWith('Alert: '))
    .map(({ recipient, subject }) => `${recipient} ${subject}`)
    .sort()
}
const openAlert = (resource: string) =>
  site.store.read.get('alert_event', { kind: 'offline', resource, rule: '', state: 'open' })
const answering = (device: string) =>
  until(`${device} answers`, async () =>
    (await site.state()).devices.some(({ id, health }) => id === device && health === 'ok'),
  )

test('edge case 24: a gateway that is away is one mail for each who is told, a lost mote is told but to whom opted out, and the end of the link ends it', {
  timeout: CASE_MS_MAX,
}, async () => {
  await answering('mote-1')
  await site.killGateway()
  await until('the gateway counts as offline', async () => (await alerts()).length > 0)
  const subject = `Alert: ${GATEWAY} is offline`
  const away = [`max@example.org ${subject}`, `pia@example.org ${subject}`]
  expect(await alerts()).toEqual(away)
  // Mails leave as files where no server is named.
  const outbox = join(site.folder, 'cloud', 'outbox')
  await until('both have left', () => {
    const files = readdirSync(outbox).filter((file) => file.endsWith('.eml'))
    return files.filter((file) => readFileSync(join(outbox, file), 'utf8').includes(subject)).length === 2
  })

  await site.startGateway()
  await until('it is over', async () => (await openAlert(GATEWAY)) === undefined)
  await answering('mote-1')
  await field.silence('mote-1', 60_000)
  const lost = [...away, `pia@example.org Alert: ${GATEWAY}/mote-1 is offline`].sort()
  await until('the lost mote is told', async () => (await alerts()).length > away.length)
  expect(await alerts()).toEqual(lost)

  const hot = { kind: 'threshold', channel: 'temp', above: -1_000 }
  const rule = { name: 'Any', resource: `${GATEWAY}/mote-2`, watch: hot }
  await site.directory.do(pia, `POST ${org('ranch', '/alerts')}`, rule, 'prime')
  lost.push(`pia@example.org Alert: ${GATEWAY}/mote-2 is out of bounds: temp is`)
  await until('the value is told', async () => (await alerts()).length === lost.length)
  expect((await alerts()).map((line) => line.replace(/ temp is .*/, ' temp is'))).toEqual(lost.sort())

  const { items } = await site.directory.do(lea, `GET ${org('ranch', '/management-links')}`)
  const { link } = (items as { link: string }[])[0] ?? { link: '' }
  await site.directory.do(lea, `DELETE ${org('ranch', `/management-links/${link}`)}`)
  await site.killGateway()
  await until('it is noticed', async () => (await openAlert(GATEWAY)) !== undefined)
  expect(await alerts()).toHaveLength(lost.length)
})
