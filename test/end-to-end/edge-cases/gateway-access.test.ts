import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Person, org } from '../../support/directory-client.ts'
import { type EdgeClient, EdgeSite, GATEWAY, inTopic, until } from '../../support/edge-site.ts'

const START_MS_MAX = 120_000
const CASE_MS_MAX = 180_000
/** What is not to come has this long to come all the same, ms. */
const QUIET_MS = 200
/** Publishes of the stubborn device. */
const REFUSED = 20
const DEVICES = ['leaver', 'crossing', 'ways', 'watched', 'fenced', 'handed', 'stubborn']

const site = new EdgeSite()
const thing = (device: string): string => `${GATEWAY}/${device}`
let ada: Person
let owner: EdgeClient
let ownerKey = ''
let texts = 0

/** The owner's program says something new about a device; resolves when whoever may hear it has. */
async function say(device: string, retain = false): Promise<string> {
  const text = `${device}-${(texts += 1)}`
  await owner.mqtt.publishAsync(inTopic(device), text, { qos: 1, retain })
  await until('the owner hears it', () => owner.has(text))
  await sleep(QUIET_MS)
  return text
}

async function hears(who: EdgeClient, device: string): Promise<boolean> {
  const text = await say(device)
  return who.has(text)
}

/** What came of devices: every member may know how the gateway itself is. */
const ofDevices = ({ heard }: EdgeClient): string[] =>
  heard.filter((line) => !line.startsWith(`headgate/${GATEWAY}/status `))

/** A client that subscribes to everything. */
async function listening(login: string, key: string, options: object = {}): Promise<EdgeClient> {
  const client = await site.connect(login, key, options)
  await client.mqtt.subscribeAsync('#', { qos: 1 })
  return client
}

/** What the broker counted of a principal, from its own registers. */
function trafficOf(principal: string): unknown[] {
  const database = new Database(join(site.folder, 'gateway', 'gateway.db'), { readonly: true })
  try {
    return database.prepare('SELECT * FROM broker_traffic WHERE principal = ?').all(principal)
  } finally {
    database.close()
  }
}

async function member(name: string, role = 'member'): Promise<{ who: Person; key: string }> {
  const who = await site.directory.person(name)
  await site.directory.joins(who, { to: 'alpha', by: ada, role })
  return { who, key: await site.inForce(() => site.directory.key(who, 'alpha')) }
}

const end = (grant: string) =>
  site.inForce(() => site.directory.do(ada, `DELETE ${org('alpha', `/shares/${grant}`)}`))
const toUser = (user: string, of?: string) => ({ kind: 'user', user, ...(of ? { org: of } : {}) })
const share = (device: string, to: object, level = 'viewer') =>
  site.inForce(() => site.directory.share(ada, { of: 'alpha', device: thing(device), to, level }))

beforeAll(async () => {
  await site.beginCloud()
  ada = await site.directory.person('ada', 'alpha')
  await site.beginGateway('alpha')
  ownerKey = await site.inForce(async () => {
    for (const device of DEVICES) {
      const path = `POST ${org('alpha', `/gateways/${GATEWAY}/devices`)}`
      await site.directory.do(ada, path, { device, name: device })
    }
    return site.directory.key(ada, 'alpha')
  })
  await until('all is in force', () =>
    listening('alpha:ada', ownerKey).then(
      () => true,
      () => false,
    ),
  )
  owner = await listening('alpha:ada', ownerKey)
}, START_MS_MAX)
afterAll(() => site.end(), START_MS_MAX)

test('edge case 8: by team, directly and by workspace; each way alone is enough, and the last one ends it', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { directory } = site
  const { key } = await member('gus')
  const { team } = await directory.do(ada, `POST ${org('alpha', '/teams')}`, { handle: 'crew', name: 'Crew' })
  const inTeam = org('alpha', `/teams/${String(team)}/members/gus`)
  await directory.do(ada, `PUT ${inTeam}`, { role: 'member' })
  const { workspace } = await directory.do(ada, `POST ${org('alpha', '/workspaces')}`, { name: 'Dam' })
  await site.inForce(() =>
    directory.do(ada, `POST ${org('alpha', `/gateways/${GATEWAY}/devices`)}`, {
      device: 'placed',
      name: 'placed',
      workspace,
    }),
  )
  const inWorkspace = org('alpha', `/workspaces/${String(workspace)}/members/gus`)
  await site.inForce(() => directory.do(ada, `PUT ${inWorkspace}`, { level: 'viewer' }))
  await share('placed', { kind: 'team', handle: 'crew' })
  const direct = await share('placed', toUser('gus'))
  const gus = await listening('alpha:gus', key)
  /** By what the gateway says he may, without what it calls the ways. */
  const ways = async (): Promise<string[]> => {
    const { allowed, via } = (await site.socket('/v1/why?as=alpha:gus&right=data.read&thing=placed')) as {
      allowed: boolean
      via: string[]
    }
    return allowed ? via.map((way) => way.replace(/grant:.*/, 'grant')).sort() : []
  }
  expect(await hears(gus, 'placed')).toBe(true)
  expect(await ways()).toEqual(['grant', 'grant', 'key:gus', 'team:crew/grant'])
  await site.inForce(() => directory.do(ada, `DELETE ${inTeam}`))
  expect(await hears(gus, 'placed')).toBe(true)
  expect(await ways()).toEqual(['grant', 'grant', 'key:gus'])
  await end(direct)
  expect(await hears(gus, 'placed')).toBe(true)
  expect(gus.mqtt.connected).toBe(true)
  await site.inForce(() => directory.do(ada, `DELETE ${inWorkspace}`))
  await until('the connection is closed', () => !gus.mqtt.connected)
  const again = await listening('alpha:gus', key)
  expect(await hears(again, 'placed')).toBe(false)
  expect(await ways()).toEqual([])
})

test('edge case 9: an observer with an editor’s share reads and commands nothing; without a share there is nothing, not all', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { key } = await member('obi', 'observer')
  const { key: none } = await member('nil')
  await share('watched', toUser('obi'), 'editor')
  const observer = await listening('alpha:obi', key)
  const nobody = await listening('alpha:nil', none)
  expect(await hears(observer, 'watched')).toBe(true)
  const { broker } = await site.state()
  for (const topic of [`headgate/${GATEWAY}/watched/cmd`, inTopic('watched')])
    await observer.mqtt.publishAsync(topic, 'open the gate', { qos: 1 })
  await sleep(QUIET_MS)
  expect(owner.has('open the gate')).toBe(false)
  expect((await site.state()).broker['quarantined']).toBe((broker['quarantined'] ?? 0) + 2)
  expect(ofDevices(nobody)).toEqual([])
  const named = await nobody.mqtt.subscribeAsync(inTopic('watched')).catch(() => 'refused')
  expect(named).toBe('refused')
})

test('edge case 10: a share taken back in the cloud gives nothing by connection, queue, retained, session, client id or will', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { key } = await member('fay')
  const { key: other } = await member('cat')
  const grant = await share('fenced', toUser('fay'), 'editor')
  const stored = { clean: false, clientId: 'fay-away' } as const
  const away = await listening('alpha:fay', key, stored)
  await away.mqtt.endAsync(true)
  const will = { topic: inTopic('fenced'), payload: Buffer.from('last words'), qos: 1, retain: true } as const
  const live = await listening('alpha:fay', key, { clientId: 'fay-live', will })
  const before = await say('fenced', true)
  expect(live.has(before)).toBe(true)

  // With her client id somebody else gets neither her session nor what waits in it.
  const taking = await site.connect('alpha:cat', other, stored).catch(() => undefined)
  await sleep(QUIET_MS)
  expect(taking === undefined ? [] : ofDevices(taking)).toEqual([])
  await taking?.mqtt.endAsync(true)

  await end(grant)
  await until('the connection is closed', () => !live.mqtt.connected)
  expect(owner.has('last words')).toBe(false)
  const after = await say('fenced')
  expect(live.has(after)).toBe(false)
  const back = await site.connect('alpha:fay', key, stored)
  await back.mqtt.subscribeAsync('#', { qos: 1 })
  await sleep(QUIET_MS)
  expect(ofDevices(back)).toEqual([])
  for (const filter of ['$SYS/#', inTopic('fenced')])
    expect(await back.mqtt.subscribeAsync(filter).catch(() => 'refused')).toBe('refused')
  expect(await hears(back, 'fenced')).toBe(false)
})

test('edge case 10: a client id is its holder’s while they are connected or a session waits, and whoever takes it over later gets nothing of theirs', {
  timeout: CASE_MS_MAX,
}, async () => {
  const keys = { flo: (await member('flo')).key, kit: (await member('kit')).key }
  // Both may read it: what is not handed on is not handed on for whose it was, not for want of a right.
  const grants = { flo: await share('handed', toUser('flo')), kit: await share('handed', toUser('kit')) }
  const logger = { clean: false, clientId: 'the-logger' } as const
  const takes = (who: keyof typeof keys) => site.connect(`alpha:${who}`, keys[who], logger)
  const isRefused = async (who: keyof typeof keys): Promise<boolean> =>
    takes(who).then(
      () => false,
      () => true,
    )

  const flo = await listening('alpha:flo', keys.flo, logger)
  expect(await isRefused('kit')).toBe(true)
  expect(flo.mqtt.connected).toBe(true)
  expect(await hears(flo, 'handed')).toBe(true)
  await flo.mqtt.endAsync(true)
  const waiting = await say('handed')
  expect(await isRefused('kit')).toBe(true)
  const again = await takes('flo')
  await until('what waited comes', () => again.has(waiting))
  expect(again.isRestored).toBe(true)

  // Live, and revoked: the id is free, and there is nothing under it.
  await end(grants.flo)
  await until('her connection is closed', () => !again.mqtt.connected)
  await say('handed')
  const kit = await takes('kit')
  expect([kit.isRestored, await hears(kit, 'handed'), ofDevices(kit)]).toEqual([false, false, []])

  // The other way round: it is his now, connected or not, and she is shown the thing again.
  await kit.mqtt.subscribeAsync('#', { qos: 1 })
  await share('handed', toUser('flo'))
  expect(await isRefused('flo')).toBe(true)
  expect(await hears(kit, 'handed')).toBe(true)
  await kit.mqtt.endAsync(true)
  await say('handed')
  expect(await isRefused('flo')).toBe(true)
  await end(grants.kit)
  const back = await takes('flo')
  expect([back.isRestored, await hears(back, 'handed'), ofDevices(back)]).toEqual([false, false, []])
})

test('edge case 3: who leaves while the gateway is offline is out when it hears of it, and a new membership revives nothing', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { who: ben, key } = await member('ben')
  await share('leaver', toUser('ben'))
  const before = await listening('alpha:ben', key)
  expect(await hears(before, 'leaver')).toBe(true)
  site.cutLink()
  await site.directory.do(ben, 'DELETE /v1/me/memberships/alpha')
  // The gateway cannot know: what it was told last is what counts there.
  expect(await hears(before, 'leaver')).toBe(true)
  await site.inForce(() => {
    site.mendLink()
    return Promise.resolve()
  })
  await until('the connection is closed', () => !before.mqtt.connected)
  await expect(site.connect('alpha:ben', key)).rejects.toThrow()
  await site.directory.joins(ben, { to: 'alpha', by: ada })
  const again = await site.inForce(() => site.directory.key(ben, 'alpha'))
  await expect(site.connect('alpha:ben', key)).rejects.toThrow()
  const after = await listening('alpha:ben', again)
  expect(await hears(after, 'leaver')).toBe(false)
  expect(ofDevices(after)).toEqual([])
})

test('edge case 11: what a device may not publish is acknowledged once, without a storm, and is nobody’s data', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { key } = await member('sol')
  await share('stubborn', toUser('sol'))
  const before = await site.usage()
  const { broker } = await site.state()
  const device = await site.connect('alpha:sol', key, { reconnectPeriod: 50, clientId: 'sol-device' })
  let connections = 1
  device.mqtt.on('connect', () => (connections += 1))
  await Promise.all(
    Array.from({ length: REFUSED }, (_, n) =>
      device.mqtt.publishAsync(inTopic('stubborn'), `forced ${n}`, { qos: 1 }),
    ),
  )
  await sleep(10 * QUIET_MS)
  expect(connections).toBe(1)
  expect(owner.heard.filter((line) => line.includes('forced'))).toEqual([])
  expect((await site.state()).broker['quarantined']).toBe((broker['quarantined'] ?? 0) + REFUSED)
  expect(await site.usage()).toEqual(before)
  // Nobody else reads the database of a gateway that runs.
  await site.stopGateway()
  expect(trafficOf('alpha:sol/sol/1')).toMatchObject([
    { direction: 'in', messages: 0, bytes: 0, refused: REFUSED },
  ])
  await site.startGateway()
  owner = await listening('alpha:ada', ownerKey)
})

test('edge case 5: without its policy a share sleeps at the gateway at once, without news at its own time, and none wakes', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { directory } = site
  const eve = await directory.person('eve', 'epsilon', { name: 'Epsilon' })
  await directory.do(eve, `PUT ${org('epsilon', '/visibility')}`, { visibility: 'public' })
  const eveKey = await directory.key(eve, 'epsilon')
  const add = (more: object = {}) =>
    directory.do(ada, `POST ${org('alpha', '/sharing-policies')}`, { name: 'Epsilon', ...more })
  const drop = () => directory.do(ada, `DELETE ${org('alpha', '/sharing-policies/epsilon')}`)
  await add()
  await share('crossing', toUser('eve', 'epsilon'))
  const seeing = await listening('epsilon:eve', eveKey)
  expect(await hears(seeing, 'crossing')).toBe(true)

  await site.inForce(drop)
  await until('nothing is left here', () => !seeing.mqtt.connected)
  expect(await hears(seeing, 'crossing')).toBe(false)
  // Another policy is not the one under which it was shared.
  await add()
  await sleep(1_000)
  const woken = await listening('epsilon:eve', eveKey).catch(() => undefined)
  expect(woken === undefined ? false : await hears(woken, 'crossing')).toBe(false)
  await drop()

  // With news the gateway has seen last, a share lasts for so long and no longer.
  await add({ offlineTtlMs: 6_000 })
  await share('crossing', toUser('eve', 'epsilon'))
  site.cutLink()
  const stale = await listening('epsilon:eve', eveKey)
  expect(await hears(stale, 'crossing')).toBe(true)
  await drop()
  expect(await hears(stale, 'crossing')).toBe(true)
  await until('it has ended for want of news', async () => !(await hears(stale, 'crossing')))
  expect(await hears(owner, 'crossing')).toBe(true)
})
