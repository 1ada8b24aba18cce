import { afterAll, beforeAll, expect, test } from 'vitest'
import { org, type Person } from '../../support/directory-client.ts'
import { EdgeSite, GATEWAY, until } from '../../support/edge-site.ts'
import { listening, logsIn, Teller } from '../../support/edge-teller.ts'

const START_MS_MAX = 120_000
const CASE_MS_MAX = 120_000
/** A token lives for so long, ms: time enough for the gateway to hear of it. */
const TOKEN_MS = 15_000

const site = new EdgeSite({ gateway: { console: { listen: '127.0.0.1:0' } } })
let ada: Person
let teller: Teller

beforeAll(async () => {
  await site.beginCloud()
  ada = await site.directory.person('ada', 'alpha')
  await site.beginGateway('alpha')
  const key = await site.inForce(() => site.addDevices(ada, 'alpha', ['valve']))
  teller = await Teller.at(site, 'alpha:ada', key)
}, START_MS_MAX)
afterAll(() => site.end(), START_MS_MAX)

const token = (by: Person, asked: object) =>
  site.directory.http(by, `POST ${org('alpha', '/tokens')}`, {
    name: 'excel',
    scope: 'full',
    expiresAt: null,
    password: `${by.name}-password`,
    ...asked,
  })
const setRole = (user: string, role: string) =>
  site.inForce(() => site.directory.do(ada, `PATCH ${org('alpha', `/members/${user}`)}`, { role }))

test('edge case 22: of keys made anew at once one opens, in the cloud and on site, and the one before opens nothing', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { who, key: before, login } = await site.member('kim', { of: 'alpha', by: ada, role: 'viewer' })
  await until('she is known on site', () => logsIn(site, login, before))
  const open = await listening(site, login, before)
  const made = await Promise.all(
    Array.from({ length: 5 }, () => site.directory.http(who, `POST ${org('alpha', '/api-key')}`)),
  )
  const keys = made.flatMap(({ body: { secret } }) => (typeof secret === 'string' ? [secret] : []))
  await until('the one before is over', () => !open.mqtt.connected)
  const opens = async (key: string) => {
    const authorization = `Bearer ${key}`
    return [
      (await site.directory.asked(`GET ${org('alpha')}`, { authorization })).status === 200,
      await logsIn(site, login, key),
    ]
  }
  await until('the gateway knows the newest', async () => {
    const known = await Promise.all(keys.map((key) => logsIn(site, login, key)))
    return known.filter(Boolean).length === 1
  })
  const answers = await Promise.all(keys.map(opens))
  expect(answers.filter(([cloud]) => cloud)).toEqual([[true, true]])
  expect(answers.filter(([cloud, here]) => cloud !== here)).toEqual([])
  expect(await opens(before)).toEqual([false, false])
})

test('edge case 22: a key narrows with its member, on connections that are open, dies with the membership, and outlives a password', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { directory } = site
  const { who, key, login } = await site.member('lou', { of: 'alpha', by: ada, role: 'editor' })
  await until('he is known on site', () => logsIn(site, login, key))
  const lou = await listening(site, login, key)
  expect(await teller.obeys(lou, 'valve')).toBe(true)
  // A new password ends every session and no key.
  const password = { password: 'lou-password', newPassword: 'another password' }
  await directory.do(who, 'PUT /v1/me/password', password)
  expect((await directory.http(who, 'GET /v1/me')).status).toBe(401)
  expect(await logsIn(site, login, key)).toBe(true)
  expect(lou.mqtt.connected).toBe(true)

  await setRole('lou', 'viewer')
  const viewing = await listening(site, login, key)
  expect(await teller.isHeardBy(viewing, 'valve')).toBe(true)
  expect(await teller.obeys(viewing, 'valve')).toBe(false)
  await site.inForce(() => directory.do(ada, `DELETE ${org('alpha', '/members/lou')}`))
  await until('the connection is closed', () => !viewing.mqtt.connected)
  expect(await logsIn(site, login, key)).toBe(false)
  expect((await site.console('/v1/sensors', { login, key })).status).toBe(401)
})

test('edge cases 9 and 22: a token above the own rights or with a wrong password is not made, and one for reading never writes', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { who: obi } = await site.member('obi', { of: 'alpha', by: ada, role: 'observer' })
  expect((await token(obi, { scope: 'full' })).code).toBe('DIRECTORY_FORBIDDEN')
  expect((await token(obi, { scope: 'write' })).code).toBe('DIRECTORY_FORBIDDEN')
  // Edge case 9: with an editor's share an observer's token reads that and writes nothing.
  const toObi = { kind: 'user', user: 'obi' }
  await site.inForce(() =>
    site.directory.share(ada, { of: 'alpha', device: `${GATEWAY}/valve`, to: toObi, level: 'editor' }),
  )
  const made = await site.inForce(() => token(obi, { name: 'watcher', scope: 'read' }))
  const watchers = String(made.body['secret'])
  await until('it is known on site', () => logsIn(site, 'alpha:watcher', watchers))
  const watcher = await listening(site, 'alpha:watcher', watchers)
  expect(await teller.isHeardBy(watcher, 'valve')).toBe(true)
  expect(await teller.obeys(watcher, 'valve')).toBe(false)
  const before = await site.store.read.find('token', { org: 'alpha' })
  expect((await token(ada, { password: 'not it' })).code).toBe('DIRECTORY_PASSWORD_WRONG')
  expect(await site.store.read.find('token', { org: 'alpha' })).toEqual(before)
  // The owner's own, for reading: less than the owner.
  const reads = await site.inForce(() => token(ada, { name: 'grafana', scope: 'read' }))
  const secret = String(reads.body['secret'])
  await until('it is known on site', () => logsIn(site, 'alpha:grafana', secret))
  const grafana = await listening(site, 'alpha:grafana', secret)
  expect(await teller.isHeardBy(grafana, 'valve')).toBe(true)
  expect(await teller.obeys(grafana, 'valve')).toBe(false)
  const login = { login: 'alpha:grafana', key: secret }
  const shared = await site.console('/v1/share', login, { thing: 'valve', to: 'alpha:obi' })
  expect([shared.status, (shared.json as { code: string }).code]).toEqual([409, 'CHANGE_REFUSED'])
})

test('edge case 22: a token that expires while the gateway is offline opens nothing there from that moment, nor does what waited for it', {
  timeout: CASE_MS_MAX,
}, async () => {
  const expiresAt = Date.now() + TOKEN_MS
  const made = await site.inForce(() => token(ada, { name: 'guest', expiresAt }))
  const [login, key] = ['alpha:guest', String(made.body['secret'])]
  await until('it is known on site', () => logsIn(site, login, key))
  site.cutLink()
  const stored = { clean: false, clientId: 'guest-away' } as const
  await (await listening(site, login, key, stored)).mqtt.endAsync(true)
  const guest = await listening(site, login, key)
  const waiting = await teller.say('valve', { retain: true })
  expect(guest.has(waiting)).toBe(true)
  expect(Date.now()).toBeLessThan(expiresAt)
  await until('it has expired', async () => !(await teller.isHeardBy(guest, 'valve')))
  // By the gateway's count of running time, which may be some behind, never ahead.
  expect(Date.now()).toBeGreaterThanOrEqual(expiresAt)
  expect(await teller.obeys(guest, 'valve').catch(() => false)).toBe(false)
  await until('the connection is closed', () => !guest.mqtt.connected)
  expect(await logsIn(site, login, key)).toBe(false)
  expect((await site.console('/v1/sensors', { login, key })).status).toBe(401)
  // Its stored session, what waited in it and what is retained: it does not get as far.
  await expect(site.connect(login, key, stored)).rejects.toThrow()
  site.mendLink()
})
