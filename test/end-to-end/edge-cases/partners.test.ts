import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { headgate } from '../../support/cli.ts'
import { org, type Person } from '../../support/directory-client.ts'
import { type EdgeClient, EdgeSite, GATEWAY, until } from '../../support/edge-site.ts'
import { listening, logsIn, Teller } from '../../support/edge-teller.ts'

const START_MS_MAX = 120_000
const CASE_MS_MAX = 120_000
/** Names that no customer ever reads. */
const PARTNERS_PEOPLE = /\b(pia|sam|ines|pax)\b/i

/** A claim by a label that there is not. */
const NO_LABEL = { gateway: 'GW-NEW', nonce: 'a'.repeat(32), proof: Buffer.alloc(96).toString('base64') }

const site = new EdgeSite({ gateway: { console: { listen: '127.0.0.1:0' } } })
const people: Record<string, Person> = {}
const keys: Record<string, string> = {}
const who = (name: string): Person => people[name] ?? { name, secret: '' }
const of = (name: string): string => (name === 'lea' ? 'ranch' : 'prime')
const listen = (name: string): Promise<EdgeClient> => listening(site, `${of(name)}:${name}`, keys[name] ?? '')
const opens = (name: string): Promise<boolean> => logsIn(site, `${of(name)}:${name}`, keys[name] ?? '')
let lea: Teller

/** Somebody of the partner, in this role. */
async function joins(name: string, role: string): Promise<void> {
  people[name] = await site.directory.person(name)
  await site.directory.joins(who(name), { to: 'prime', by: who('pia'), role })
  keys[name] = await site.inForce(() => site.directory.key(who(name), 'prime'))
  await until(`${name} is known on site`, () => opens(name))
}
const status = async (name: string, customer: string): Promise<number> =>
  (await site.directory.http(who(name), `GET ${org(customer)}`, undefined, 'prime')).status
/** What there is about single people of the partner in customers' own tables. */
async function rowsAboutPeople(): Promise<unknown[]> {
  const user = ['pia', 'sam', 'ines', 'pax']
  const grants = await site.store.read.find('grant', { org: ['ranch', 'farm'], principal: user })
  return [...(await site.store.read.find('membership', { org: ['ranch', 'farm'], user })), ...grants]
}

/** On the socket a question needs somebody whom it is about. */
const withoutSelf = (path: string): string => (path.startsWith('/v1/why?') ? `${path}&as=ranch:lea` : path)

beforeAll(async () => {
  await site.beginCloud()
  const { directory } = site
  const pia = (people['pia'] = await directory.person('pia', 'prime', {
    type: 'partner',
    preset: 'meter.me',
  }))
  for (const id of ['ranch', 'farm']) {
    const customer = {
      id,
      name: id,
      systems: ['House'],
      lead: id === 'ranch' ? 'lea@example.org' : undefined,
    }
    await directory.do(pia, `POST ${org('prime', '/customers')}`, customer)
  }
  people['lea'] = await directory.person('lea')
  await directory.accepts(who('lea'))
  await site.beginGateway('ranch')
  keys['pia'] = await directory.key(pia, 'prime')
  keys['lea'] = await directory.key(who('lea'), 'ranch')
  await site.inForce(() =>
    directory.do(
      pia,
      `POST ${org('ranch', `/gateways/${GATEWAY}/devices`)}`,
      {
        device: 'pump',
        name: 'pump',
      },
      'prime',
    ),
  )
  lea = await Teller.at(site, 'ranch:lea', keys['lea'])
}, START_MS_MAX)
afterAll(() => site.end(), START_MS_MAX)

test('edge case 23: partner’s people come, change and go with all customers at once, by no row at a customer', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { directory } = site
  await joins('sam', 'systems-admin')
  await joins('ines', 'installer')
  expect(await Promise.all(['ranch', 'farm'].map((customer) => status('sam', customer)))).toEqual([200, 200])
  const [sam, ines] = [await listen('sam'), await listen('ines')]
  const text = await lea.say('pump')
  expect([sam.has(text), ines.has(text)]).toEqual([true, true])
  expect([await lea.obeys(sam, 'pump'), await lea.obeys(ines, 'pump')]).toEqual([false, true])

  // A systems administrator installs nothing: neither with a ticket nor with a label, for a customer or the partner.
  for (const customer of ['ranch', 'farm', 'prime']) {
    const claim = (by: string) =>
      directory.http(who(by), `POST ${org(customer, '/tickets')}`, { serials: ['GW-NEW'] }, 'prime')
    const reserve = (by: string) =>
      directory.http(who(by), `POST ${org(customer, '/claims')}`, NO_LABEL, 'prime')
    expect((await claim('sam')).code).toBe('DIRECTORY_FORBIDDEN')
    expect((await reserve('sam')).code).toBe('DIRECTORY_FORBIDDEN')
    if (customer === 'prime') continue
    expect((await claim('ines')).status).toBe(201)
    // The installer may, with the right label.
    expect((await reserve('ines')).code).toBe('DIRECTORY_CLAIM_REFUSED')
  }

  // Another role: at every customer, and at the gateway on the connection that is open.
  const becomes = (name: string, role: string) =>
    site.inForce(() =>
      directory.do(who('pia'), `PATCH ${org('prime', `/members/${name}`)}`, { role }, 'prime'),
    )
  await becomes('sam', 'installer')
  await until('he operates', () => lea.obeys(sam, 'pump'))
  await becomes('ines', 'systems-admin')
  await until('her connection is closed', () => !ines.mqtt.connected)
  const less = await listen('ines')
  expect(await lea.obeys(less, 'pump')).toBe(false)
  expect(await lea.isHeardBy(less, 'pump')).toBe(true)
  await site.inForce(() => directory.do(who('pia'), `DELETE ${org('prime', '/members/sam')}`))
  await until('his connection is closed', () => !sam.mqtt.connected)
  expect(await opens('sam')).toBe(false)
  for (const customer of ['ranch', 'farm']) expect(await status('sam', customer)).not.toBe(200)
  expect(await rowsAboutPeople()).toEqual([])
})

test('edge case 9: a customer’s view-only member with an editor’s share reads and commands nothing', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { key, login } = await site.member('max', { of: 'ranch', by: who('lea'), role: 'customer-viewer' })
  // By the partner: who owns the customer gives no more than they have.
  const thing = { kind: 'device', resource: `${GATEWAY}/pump` }
  const shared = { thing, to: { kind: 'user', user: 'max' }, level: 'editor' }
  await site.inForce(() => site.directory.do(who('pia'), `POST ${org('ranch', '/shares')}`, shared, 'prime'))
  await until('he is known on site', () => logsIn(site, login, key))
  const max = await listening(site, login, key)
  expect(await lea.isHeardBy(max, 'pump')).toBe(true)
  expect(await lea.obeys(max, 'pump')).toBe(false)
  await max.mqtt.endAsync()
})

test('edge case 23: a customer never reads a partner’s names: by MQTT, at the gateway’s port, by its commands, in the cloud', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { directory } = site
  const login = { login: 'ranch:lea', key: keys['lea'] ?? '' }
  // She sees what somebody of the partner does: shares, commands, alerts, an invitation.
  await joins('pax', 'super-installer')
  const acts = (line: string, body: object) => directory.do(who('pax'), line, body, 'prime')
  const thing = { kind: 'device', resource: `${GATEWAY}/pump` }
  await site.inForce(() =>
    acts(`POST ${org('ranch', '/shares')}`, { thing, to: { kind: 'user', user: 'max' } }),
  )
  await acts(`POST ${org('ranch', '/alerts')}`, {
    name: 'Pump',
    resource: `${GATEWAY}/pump`,
    watch: { kind: 'offline' },
  })
  await acts(`PATCH ${org('ranch')}`, { description: 'managed' })
  await site.console(
    '/v1/opt-out',
    { login: 'prime:pax', key: keys['pax'] ?? '' },
    { thing: 'pump', alert: 'all' },
  )
  const onSite = await site.console(
    '/v1/share',
    { login: 'prime:pax', key: keys['pax'] ?? '' },
    { thing: 'gateway', to: 'ranch:max' },
  )
  expect(onSite.status).toBe(200)
  const packets: string[] = []
  const client = await listen('lea')
  client.mqtt.on('packetreceive', (packet) => packets.push(JSON.stringify(packet)))
  await client.mqtt.subscribeAsync('headgate/#', { qos: 1 })
  const doing = await listen('pax')
  expect(await lea.obeys(doing, 'pump')).toBe(true)
  await doing.mqtt.endAsync()

  const surfaces: string[] = [...packets, ...client.heard]
  const paths = ['/v1/status', '/v1/sensors', '/v1/members', '/v1/shares']
  const rights = ['data.read', 'device.operate', 'share.grant', 'device.config', 'alert.self']
  for (const right of rights) paths.push(`/v1/who-can?right=${right}&thing=pump`)
  paths.push('/v1/why?right=data.read&thing=pump', '/v1/who-can?right=gateway.status&thing=gateway')
  for (const path of paths) {
    const { status: code, text } = await site.console(path, login)
    expect([path, code]).toEqual([path, 200])
    surfaces.push(text)
  }
  const keyFile = join(site.folder, 'lea.key')
  writeFileSync(keyFile, login.key)
  const asLea = ['--config', site.gatewayConfig, '--as', 'ranch:lea', '--key-file', keyFile]
  for (const command of [['members'], ['shares'], ['who-can', 'data.read', 'pump']])
    surfaces.push((await headgate([...command, ...asLea])).stdout)
  // Nor do they who run the machine, which stands at the customer's.
  for (const path of [...paths, '/v1/policy'])
    surfaces.push(JSON.stringify(await site.socket(withoutSelf(path))))
  const cloud = ['/members', '/management-links', '/audit', '/invitations', '/legacy-shares']
  cloud.push(`/shares?kind=device&resource=${GATEWAY}/pump`, `/alerts?resource=${GATEWAY}/pump`)
  for (const rest of cloud) {
    const { items } = await directory.do(who('lea'), `GET ${org('ranch', rest)}`)
    surfaces.push(JSON.stringify(items))
  }
  const leaks = surfaces.filter((text) => PARTNERS_PEOPLE.test(text))
  expect(leaks).toEqual([])
  // They are there all the same, as the partner.
  expect(surfaces.filter((text) => text.includes('prime')).length).toBeGreaterThan(3)
  // And asked after by name they are nobody that she could tell from somebody who is not there.
  const why = async (as: string) =>
    (await site.console(`/v1/why?right=data.read&thing=pump&as=${as}`, login)).text.replace(
      as.slice('prime:'.length),
      '',
    )
  expect(await why('prime:pax')).toBe(await why('prime:nobody'))
})

test('edge case 23: a partner of the partner gets nothing, and who ends the link is rid of them at once, also on site', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { directory } = site
  const zoe = await directory.person('zoe', 'zenith', { type: 'partner', preset: 'meter.me' })
  const key = await directory.key(zoe, 'zenith')
  // A partner is nobody's customer: asked for or not, there is no link, and none leads further.
  await directory.http(zoe, `POST ${org('zenith', '/management-links')}`, { customer: 'prime' })
  const { items: asked } = await directory.do(who('pia'), `GET ${org('prime', '/management-links')}`)
  expect((asked as { direction: string }[]).filter(({ direction }) => direction === 'managed-by')).toEqual([])
  for (const as of ['zenith', 'prime'])
    expect((await directory.http(zoe, `GET ${org('ranch')}`, undefined, as)).status).not.toBe(200)
  expect(await logsIn(site, 'zenith:zoe', key)).toBe(false)

  const pia = await listen('pia')
  expect(await lea.isHeardBy(pia, 'pump')).toBe(true)
  const { items } = await directory.do(who('lea'), `GET ${org('ranch', '/management-links')}`)
  const { link } = (items as { link: string }[])[0] ?? { link: '' }
  await site.inForce(() => directory.do(who('lea'), `DELETE ${org('ranch', `/management-links/${link}`)}`))
  await until('the partner is out', () => !pia.mqtt.connected)
  expect(await opens('pia')).toBe(false)
  expect([await status('pia', 'ranch'), await status('pia', 'farm')]).toEqual([404, 200])
})
