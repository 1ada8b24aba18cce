import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { askGateway } from '../../../agent/local-api/client.ts'
import { type Person, org } from '../../support/directory-client.ts'
import { type EdgeClient, EdgeSite, GATEWAY, inTopic, until } from '../../support/edge-site.ts'

const START_MS_MAX = 120_000
const CASE_MS_MAX = 120_000
/** What is not to come has this long to come all the same, ms. */
const QUIET_MS = 200
const DEVICES = ['revoked', 'regranted', 'gauge', 'valve', 'taken', 'given']

const site = new EdgeSite()
let ada: Person
const keys = { ada: '', adam: '', bob: '' }
let owner: EdgeClient
let bob: EdgeClient
let texts = 0

async function bobHears(device: string): Promise<boolean> {
  const text = `${device}-${(texts += 1)}`
  await owner.mqtt.publishAsync(inTopic(device), text, { qos: 1 })
  await until('the owner hears it', () => owner.has(text))
  await sleep(QUIET_MS)
  return bob.has(text)
}

/** Closed where bob loses something; he comes back each time. */
async function bobConnects(): Promise<void> {
  bob = await site.connect('alpha:bob', keys.bob)
  await bob.mqtt.subscribeAsync('#', { qos: 1 })
}

const onSite = (who: 'ada' | 'adam', what: 'share' | 'revoke', thing: string) =>
  askGateway(join(site.folder, 'gateway'), `/v1/${what}`, {
    body: { thing, to: 'alpha:bob' },
    login: { name: `alpha:${who}`, key: keys[who] },
  })
const inCloud = (device: string, level = 'viewer') =>
  site.directory.share(ada, {
    of: 'alpha',
    device: `${GATEWAY}/${device}`,
    to: { kind: 'user', user: 'bob' },
    level,
  })
const liveIn = (device: string) =>
  site.store.read.find('grant', { resource: `${GATEWAY}/${device}`, state: 'live' })
const judged = async (): Promise<string[]> => {
  const rows = await site.store.read.find('gateway_change', {}, { orderBy: ['seq'] })
  return rows.map(({ state, because }) => [state, because].filter((part) => part !== null).join(' '))
}

/** Texts of the events that the gateway has told the cloud. */
function told(): string {
  const database = new Database(join(site.folder, 'cloud', 'cloud.db'), { readonly: true })
  try {
    const rows = database.prepare('SELECT bytes FROM event_batch').pluck().all() as Uint8Array[]
    return rows.map((bytes) => Buffer.from(bytes).toString('utf8')).join('\n')
  } finally {
    database.close()
  }
}

async function member(name: 'adam' | 'bob', role: string): Promise<Person> {
  const who = await site.directory.person(name)
  await site.directory.joins(who, { to: 'alpha', by: ada, role })
  keys[name] = await site.inForce(() => site.directory.key(who, 'alpha'))
  return who
}

beforeAll(async () => {
  await site.beginCloud()
  ada = await site.directory.person('ada', 'alpha')
  await site.beginGateway('alpha')
  keys.ada = await site.inForce(async () => {
    for (const device of DEVICES) {
      const path = `POST ${org('alpha', `/gateways/${GATEWAY}/devices`)}`
      await site.directory.do(ada, path, { device, name: device })
    }
    return site.directory.key(ada, 'alpha')
  })
  await member('adam', 'admin')
  await member('bob', 'member')
  await until('all is in force', () =>
    site.connect('alpha:bob', keys.bob).then(
      () => true,
      () => false,
    ),
  )
  owner = await site.connect('alpha:ada', keys.ada)
  await owner.mqtt.subscribeAsync('#', { qos: 1 })
}, START_MS_MAX)
afterAll(() => site.end(), START_MS_MAX)

test('edge case 16: what is revoked on site while the cloud gives more of it stays revoked, and what the cloud revoked is not revived on site', {
  timeout: CASE_MS_MAX,
}, async () => {
  await site.inForce(() => inCloud('revoked'))
  const seen = await site.inForce(() => inCloud('regranted'))
  await until('both are in force', async () => {
    await bobConnects()
    return (await bobHears('revoked')) && (await bobHears('regranted'))
  })
  site.cutLink()
  await onSite('ada', 'revoke', 'revoked')
  await inCloud('revoked', 'editor')
  await site.directory.do(ada, `DELETE ${org('alpha', `/shares/${seen}`)}`)
  // Given anew on site: what is there already takes no other's place.
  await onSite('ada', 'revoke', 'regranted')
  await onSite('ada', 'share', 'regranted')
  await bobConnects()
  expect(await bobHears('revoked')).toBe(false)
  expect(await bobHears('regranted')).toBe(true)
  site.mendLink()
  await until('all are judged', async () => (await judged()).length === 3)
  expect(await judged()).toEqual(['accepted', 'accepted', 'void removed'])
  expect(await liveIn('revoked')).toEqual([])
  expect(await liveIn('regranted')).toEqual([])
  await until('the gateway has taken it back', async () => {
    await bobConnects()
    return !(await bobHears('regranted'))
  })
  expect(await bobHears('revoked')).toBe(false)
  await until('the cloud knows what was disclosed', () => told().includes('access_exposure'))
  expect(told()).toContain(inTopic('regranted'))
  expect(told()).toMatch(/"winner":"org:alpha#\d+"/)
})

test('edge case 16: when the cloud’s word comes first it is the same, and what is said after the other was heard of counts as it is said', {
  timeout: CASE_MS_MAX,
}, async () => {
  const before = await judged()
  const news = async () => (await judged()).slice(before.length)
  await site.inForce(() => inCloud('taken'))
  const seen = await site.inForce(() => inCloud('given'))
  await bobConnects()
  expect([await bobHears('taken'), await bobHears('given')]).toEqual([true, true])
  // Made on site first, and heard of in the cloud after its own: by then that is in force on site.
  site.holdChanges()
  await onSite('ada', 'revoke', 'taken')
  await onSite('ada', 'revoke', 'given')
  await onSite('ada', 'share', 'given')
  await site.inForce(() => inCloud('taken', 'editor'))
  await site.inForce(() => site.directory.do(ada, `DELETE ${org('alpha', `/shares/${seen}`)}`))
  await bobConnects()
  expect(await news()).toEqual([])
  expect([await bobHears('taken'), await bobHears('given')]).toEqual([false, true])
  site.releaseChanges()
  await until('all are judged', async () => (await news()).length === 3)
  expect(await news()).toEqual(['accepted', 'accepted', 'void removed'])
  expect([...(await liveIn('taken')), ...(await liveIn('given'))]).toEqual([])
  await until('the gateway has taken it back', async () => {
    await bobConnects()
    return !(await bobHears('given'))
  })
  expect(await bobHears('taken')).toBe(false)

  // Each after the other was heard of: nothing is concurrent, and the later one stands.
  await site.inForce(() => inCloud('taken'))
  await onSite('ada', 'share', 'given')
  await until('it is judged', async () => (await news()).length === 4)
  expect((await news()).at(-1)).toBe('accepted')
  await bobConnects()
  expect([await bobHears('taken'), await bobHears('given')]).toEqual([true, true])
  const [made] = await liveIn('given')
  await site.inForce(() => site.directory.do(ada, `DELETE ${org('alpha', `/shares/${made?.id ?? ''}`)}`))
  await bobConnects()
  expect([await bobHears('taken'), await bobHears('given')]).toEqual([true, false])
})

test('edge case 17: what an admin gave on site who was demoted meanwhile is void and told, what they took stays taken, and nobody rises', {
  timeout: CASE_MS_MAX,
}, async () => {
  const before = await judged()
  await site.inForce(() => inCloud('valve'))
  await until('it is in force', async () => {
    await bobConnects()
    return bobHears('valve')
  })
  site.cutLink()
  await site.directory.do(ada, `PATCH ${org('alpha', '/members/adam')}`, { role: 'viewer' })
  await onSite('adam', 'share', 'gauge')
  await onSite('adam', 'revoke', 'valve')
  await bobConnects()
  expect(await bobHears('gauge')).toBe(true)
  site.mendLink()
  await until('both are judged', async () => (await judged()).length === before.length + 2)
  expect((await judged()).slice(before.length)).toEqual(['void role', 'accepted'])
  await until('the gateway has taken it back', async () => {
    await bobConnects()
    return !(await bobHears('gauge'))
  })
  expect(await bobHears('valve')).toBe(false)
  expect([...(await liveIn('gauge')), ...(await liveIn('valve'))]).toEqual([])
  await until('the cloud knows what was disclosed', () => told().includes(inTopic('gauge')))
  const refusal = await onSite('adam', 'share', 'gauge').then(
    () => 'shared',
    (error: unknown) => (error as { code?: string }).code,
  )
  expect(refusal).toBe('CHANGE_REFUSED')
})
