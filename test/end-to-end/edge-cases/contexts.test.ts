import { afterAll, beforeAll, expect, test } from 'vitest'
import { type HttpAnswer, org, type Person } from '../../support/directory-client.ts'
import { EdgeSite, GATEWAY, until } from '../../support/edge-site.ts'
import { listening, logsIn, Teller } from '../../support/edge-teller.ts'

const START_MS_MAX = 120_000
const CASE_MS_MAX = 120_000

const site = new EdgeSite({ gateway: { console: { listen: '127.0.0.1:0' } } })
let ada: Person
let teller: Teller

const post = (by: Person, path: string, body: object): Promise<HttpAnswer> =>
  site.directory.http(by, `POST ${path}`, body)
const shared = (by: Person, of: string, thing: object, to: object, level = 'viewer') =>
  post(by, org(of, '/shares'), { thing, to, level })
const device = (name: string) => ({ kind: 'device', resource: `${GATEWAY}/${name}` })
const publicAs = (by: Person, id: string, visibility = 'public') =>
  site.directory.do(by, `PUT ${org(id, '/visibility')}`, { visibility })
const addPolicy = (by: Person, of: string, name: string, more: object = {}) =>
  post(by, org(of, '/sharing-policies'), { name, ...more })

beforeAll(async () => {
  await site.beginCloud()
  ada = await site.directory.person('ada', 'alpha')
  await site.beginGateway('alpha')
  const key = await site.inForce(() => site.addDevices(ada, 'alpha', ['shown', 'kept', 'onward', 'viewed']))
  teller = await Teller.at(site, 'alpha:ada', key)
}, START_MS_MAX)
afterAll(() => site.end(), START_MS_MAX)

test('edge case 4: names are found from three letters on without accents and case, a private one is as if absent, and of two alike one is chosen', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { directory } = site
  const [rio, roy, sid] = [
    await directory.person('rio', 'rio-one', { name: 'Río Water' }),
    await directory.person('roy', 'rio-two', { name: 'rio  WATER' }),
    await directory.person('sid', 'secret', { name: 'Secret Works' }),
  ]
  const found = async (name: string) =>
    (
      await directory.do(ada, `GET ${org('alpha', `/public-organisations?name=${encodeURIComponent(name)}`)}`)
    )['items'] as { id: string }[]
  // Private: what is told is what is told of nobody, whoever asks and however.
  const absent = await addPolicy(ada, 'alpha', 'Nobody At All')
  expect(await found('Secret')).toEqual([])
  expect((await addPolicy(ada, 'alpha', 'Secret Works')).body).toEqual(absent.body)
  expect((await addPolicy(ada, 'alpha', 'Secret Works', { to: 'secret' })).body).toEqual(absent.body)
  await publicAs(rio, 'rio-one')
  await publicAs(roy, 'rio-two')
  expect(await found('ri')).toEqual([])
  for (const typed of ['rio', 'RÍO', 'rio wat'])
    expect((await found(typed)).map(({ id }) => id).sort()).toEqual(['rio-one', 'rio-two'])
  expect((await addPolicy(ada, 'alpha', 'Rio Wat')).body).toEqual(absent.body)
  // Two of one name: neither by chance.
  expect((await addPolicy(ada, 'alpha', 'Rio Water')).code).toBe('DIRECTORY_INPUT_INVALID')
  expect((await addPolicy(ada, 'alpha', 'Rio Water', { to: 'rio-two' })).body['to']).toBe('rio-two')
  // Private again after the policy: it stays, and the search stops.
  await publicAs(roy, 'rio-two', 'private')
  expect((await found('rio')).map(({ id }) => id)).toEqual(['rio-one'])
  const kept = await directory.do(ada, `GET ${org('alpha', '/sharing-policies')}`)
  expect((kept['items'] as { to: string }[]).map(({ to }) => to)).toContain('rio-two')
  const key = await directory.key(roy, 'rio-two')
  const toRoy = { kind: 'user', user: 'roy', org: 'rio-two' }
  expect((await site.inForce(() => shared(ada, 'alpha', device('kept'), toRoy))).status).toBe(201)
  await until('he is known on site', () => logsIn(site, 'rio-two:roy', key))
  expect(await teller.isHeardBy(await listening(site, 'rio-two:roy', key), 'kept')).toBe(true)
  expect(sid.name).toBe('sid')
})

test('edge case 5: what was shared with another organisation is not shared on, in the cloud or on site, whatever policies that one has', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { directory } = site
  const [bea, cy] = [
    await directory.person('bea', 'beta', { name: 'Beta' }),
    await directory.person('cy', 'gamma', { name: 'Gamma' }),
  ]
  await publicAs(bea, 'beta')
  await publicAs(cy, 'gamma')
  expect((await addPolicy(ada, 'alpha', 'Beta')).status).toBe(201)
  expect((await addPolicy(bea, 'beta', 'Gamma')).status).toBe(201)
  const [beaKey, cyKey] = [await directory.key(bea, 'beta'), await directory.key(cy, 'gamma')]
  const toBea = { kind: 'user', user: 'bea', org: 'beta' }
  await site.inForce(() => shared(ada, 'alpha', device('onward'), toBea, 'editor'))
  await until('she is known on site', () => logsIn(site, 'beta:bea', beaKey))
  const seeing = await listening(site, 'beta:bea', beaKey)
  expect(await teller.isHeardBy(seeing, 'onward')).toBe(true)
  // Onward to a third one, and back into the own: by her way in, and as if it were her organisation's.
  const toCy = { kind: 'user', user: 'cy', org: 'gamma' }
  for (const of of ['alpha', 'beta'])
    expect((await shared(bea, of, device('onward'), toCy)).status).toBeGreaterThanOrEqual(400)
  const viaBeta = await directory.http(
    bea,
    `POST ${org('alpha', '/shares')}`,
    { thing: device('onward'), to: toCy, level: 'viewer' },
    'beta',
  )
  expect(viaBeta.status).toBeGreaterThanOrEqual(400)
  for (const to of ['gamma:cy', 'gamma']) {
    const onSite = await site.console(
      '/v1/share',
      { login: 'beta:bea', key: beaKey },
      { thing: 'onward', to },
    )
    expect([onSite.status, (onSite.json as { code: string }).code]).toEqual([409, 'CHANGE_REFUSED'])
  }
  expect(await logsIn(site, 'gamma:cy', cyKey)).toBe(false)
  const rows = await site.store.read.find('grant', { resource: `${GATEWAY}/onward` })
  expect(rows.map(({ principal }) => principal)).toEqual(['bea'])
})

test('edge case 6: who is in two organisations has in each login what that one gives, and no key opens the other', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { directory } = site
  const eve = await directory.person('eve', 'epsilon', { name: 'Epsilon' })
  await publicAs(eve, 'epsilon')
  await addPolicy(ada, 'alpha', 'Epsilon')
  await directory.joins(eve, { to: 'alpha', by: ada, role: 'viewer' })
  const keys = { alpha: await directory.key(eve, 'alpha'), epsilon: await directory.key(eve, 'epsilon') }
  const toEve = { kind: 'user', user: 'eve', org: 'epsilon' }
  await site.inForce(() => shared(ada, 'alpha', device('shown'), toEve, 'editor'))
  for (const of of ['alpha', 'epsilon'] as const)
    await until(`she is known as of ${of}`, () => logsIn(site, `${of}:eve`, keys[of]))

  const asAlpha = await listening(site, 'alpha:eve', keys.alpha)
  const asEpsilon = await listening(site, 'epsilon:eve', keys.epsilon)
  const hears = async (name: string) => {
    const text = await teller.say(name)
    return [asAlpha.has(text), asEpsilon.has(text)]
  }
  expect(await hears('shown')).toEqual([true, true])
  expect(await hears('kept')).toEqual([true, false])
  // A viewer here and an editor there: not an editor of all, nor an editor as the viewer.
  expect(await teller.obeys(asEpsilon, 'shown')).toBe(true)
  expect(await teller.obeys(asAlpha, 'shown')).toBe(false)
  expect(await teller.obeys(asEpsilon, 'kept')).toBe(false)

  // The key of one with the name of the other: at the broker, at the gateway's HTTP port, and in the cloud.
  const basic = (login: string, key: string) => `Basic ${Buffer.from(`${login}:${key}`).toString('base64')}`
  for (const [login, key, allowed] of [
    ['alpha:eve', keys.alpha, true],
    ['epsilon:eve', keys.epsilon, true],
    ['alpha:eve', keys.epsilon, false],
    ['epsilon:eve', keys.alpha, false],
  ] as const) {
    expect(await logsIn(site, login, key)).toBe(allowed)
    expect((await site.console('/v1/sensors', { login, key })).status).toBe(allowed ? 200 : 401)
    const [of] = login.split(':')
    const authorization = basic(login, key)
    const asked = await directory.asked(`GET ${org(of ?? '')}`, { authorization })
    expect(asked.status === 200).toBe(allowed)
    if (allowed) continue
    const named = await directory.asked(`GET ${org('alpha')}`, { authorization, as: 'alpha' })
    expect(named.status).toBe(401)
  }
  const listed = await site.console('/v1/members', { login: 'epsilon:eve', key: keys.epsilon })
  expect(JSON.stringify(listed.json)).not.toContain('alpha')
  const why = async (login: string, key: string) =>
    (await site.console('/v1/why?right=device.operate&thing=shown', { login, key })).json
  expect(await why('epsilon:eve', keys.epsilon)).toMatchObject({ allowed: true })
  expect(await why('alpha:eve', keys.alpha)).toMatchObject({ allowed: false })
})

test('edge case 7: a view is shown with all its gateways or not at all, for viewing, and each is listed', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { directory } = site
  const spare = { gateway: 'GW-SPARE', publicKey: Buffer.alloc(32).toString('base64') }
  await directory.do('operator', 'POST /v1/operator/gateways', { org: 'alpha', ...spare })
  await directory.person('fox', 'foreign')
  const foreign = { gateway: 'GW-FOREIGN', publicKey: Buffer.alloc(32, 1).toString('base64') }
  await directory.do('operator', 'POST /v1/operator/gateways', { org: 'foreign', ...foreign })
  const { who: wes } = await site.member('wes', { of: 'alpha', by: ada })
  const { key, login } = await site.member('gus', { of: 'alpha', by: ada })
  await until('he is known on site', () => logsIn(site, login, key))
  // Shareable by him is one gateway only.
  const toWes = { kind: 'user', user: 'wes' }
  await shared(ada, 'alpha', { kind: 'gateway', resource: GATEWAY }, toWes, 'owner')
  const toGus = { kind: 'user', user: 'gus' }
  const viewOf = async (...gateways: string[]) => {
    const body = { name: gateways.join(' '), kind: 'map', gateways, definition: {} }
    const { view } = (await post(wes, org('alpha', '/views'), body)).body
    return { kind: 'view', resource: String(view) }
  }
  const gus = await listening(site, login, key)
  const grants = () => site.store.read.find('grant', { principal: 'gus' })
  for (const others of [['GW-SPARE', 'GW-FOREIGN'], ['GW-SPARE'], ['GW-FOREIGN']]) {
    const shown = await shared(wes, 'alpha', await viewOf(GATEWAY, ...others), toGus)
    expect(shown.status).toBeGreaterThanOrEqual(400)
  }
  expect(await grants()).toEqual([])
  expect(await teller.isHeardBy(gus, 'viewed')).toBe(false)

  const view = await viewOf(GATEWAY)
  const shown = await site.inForce(() => shared(wes, 'alpha', view, toGus, 'editor'))
  await until('it is in force', () => teller.isHeardBy(gus, 'viewed'))
  expect(await teller.obeys(gus, 'viewed')).toBe(false)
  const rest = `/shares?kind=gateway&resource=${GATEWAY}`
  const { items } = await directory.do(ada, `GET ${org('alpha', rest)}`)
  const listed = (items as { to: { id: string } }[]).filter(({ to }) => to.id === 'gus')
  expect(listed).toMatchObject([{ level: 'viewer', broughtBy: shown.body['grant'], state: 'live' }])
  // With the view goes what it brought.
  const { grant } = shown.body
  await site.inForce(() => directory.do(wes, `DELETE ${org('alpha', `/shares/${String(grant)}`)}`))
  await until('it has ended', () => !gus.mqtt.connected)
  const after = await listening(site, login, key)
  expect(await teller.isHeardBy(after, 'viewed')).toBe(false)
})
