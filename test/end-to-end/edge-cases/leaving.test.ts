import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { headgateJson } from '../../support/cli.ts'
import { org, type Person } from '../../support/directory-client.ts'
import { EdgeSite, GATEWAY, until } from '../../support/edge-site.ts'
import { listening, logsIn, ofDevices, Teller } from '../../support/edge-teller.ts'

const START_MS_MAX = 120_000
const CASE_MS_MAX = 120_000

const site = new EdgeSite({ gateway: { console: { listen: '127.0.0.1:0' } } })
let ada: Person
let adasKey = ''
let teller: Teller

beforeAll(async () => {
  await site.beginCloud()
  ada = await site.directory.person('ada', 'alpha')
  await site.beginGateway('alpha')
  adasKey = await site.inForce(() => site.addDevices(ada, 'alpha', ['owned', 'shown', 'other']))
  teller = await Teller.at(site, 'alpha:ada', adasKey)
}, START_MS_MAX)
afterAll(() => site.end(), START_MS_MAX)

const show = (device: string, user: string, level = 'viewer') =>
  site.directory.share(ada, {
    of: 'alpha',
    device: `${GATEWAY}/${device}`,
    to: { kind: 'user', user },
    level,
  })
const own = (device: string, user: string) =>
  site.directory.do(ada, `PUT ${org('alpha', `/gateways/${GATEWAY}/devices/${device}/custodian`)}`, { user })
/** Devices that somebody may read by what the cloud says, as of the organisation. */
async function reads(who: Person): Promise<string[]> {
  const seen: string[] = []
  for (const device of ['owned', 'shown', 'other']) {
    const asked = `/permission?kind=device&resource=${GATEWAY}/${device}&right=data.read`
    const { body } = await site.directory.http(who, `GET ${org('alpha', asked)}`, undefined, 'alpha')
    if (body['allowed'] === true) seen.push(device)
  }
  return seen
}
const judged = async (): Promise<string[]> => {
  const rows = await site.store.read.find('gateway_change', {}, { orderBy: ['seq'] })
  return rows.map(({ state, because }) => [state, because].filter((part) => part !== null).join(' '))
}
/** `headgate leave` on the machine of the gateway. */
function leaveHere(login: string, key: string) {
  const keyFile = join(site.folder, 'leaver.key')
  writeFileSync(keyFile, key)
  return headgateJson(['leave', '--as', login, '--key-file', keyFile, '--config', site.gatewayConfig])
}

test('edge case 3: who leaves in the cloud sees what was theirs and what they were shown and no more, and nobody comes back alone', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { directory } = site
  const { who: ben, key, login } = await site.member('ben', { of: 'alpha', by: ada, role: 'viewer' })
  await site.inForce(async () => {
    await own('owned', 'ben')
    await show('shown', 'ben', 'editor')
  })
  await until('he is known on site', () => logsIn(site, login, key))
  const used = await directory.mailed('ben')
  expect(await reads(ben)).toEqual(['owned', 'shown', 'other'])
  const before = await listening(site, login, key)
  expect(await teller.isHeardBy(before, 'other')).toBe(true)
  await site.inForce(() => directory.do(ben, 'DELETE /v1/me/memberships/alpha'))
  await until('his connection is closed', () => !before.mqtt.connected)
  expect(await reads(ben)).toEqual(['owned', 'shown'])
  expect(await logsIn(site, login, key)).toBe(false)
  // Legacy shares are listed, and end one by one.
  const { items } = await directory.do(ada, `GET ${org('alpha', '/legacy-shares')}`)
  const legacy = items as { grant: string; thing: { resource: string }; to: { id: string } }[]
  expect(legacy.map(({ thing }) => thing.resource).sort()).toEqual([`${GATEWAY}/owned`, `${GATEWAY}/shown`])
  await directory.do(ada, `DELETE ${org('alpha', `/shares/${legacy[0]?.grant ?? ''}`)}`)
  expect(await reads(ben)).toHaveLength(1)
  // By the old mail, by inviting himself, by changing his own membership, by a key.
  const tries = await Promise.all([
    directory.http(ben, 'POST /v1/invitations/acceptance', { secret: used }),
    directory.http(ben, `POST ${org('alpha', '/invitations')}`, { email: 'ben@example.org', role: 'viewer' }),
    directory.http(ben, `PATCH ${org('alpha', '/members/ben')}`, { role: 'viewer' }),
    directory.http(ben, `DELETE ${org('alpha', '/members/ben/suspension')}`),
    directory.http(ben, `POST ${org('alpha', '/api-key')}`),
  ])
  for (const { status } of tries) expect(status).toBeGreaterThanOrEqual(400)
  expect(await directory.http(ben, `GET ${org('alpha', '/members')}`)).toMatchObject({ status: 404 })
})

test('edge case 3: who leaves at a gateway without a link is out there at once, in the cloud when it hears of it, and no old share revives', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { directory } = site
  const { who: lou, key, login } = await site.member('lou', { of: 'alpha', by: ada })
  await site.inForce(() => show('shown', 'lou'))
  await until('she is known on site', () => logsIn(site, login, key))
  const before = await listening(site, login, key)
  await until('it is in force', () => teller.isHeardBy(before, 'shown'))
  const earlier = await judged()
  site.cutLink()
  const left = await leaveHere(login, key)
  expect([left.code, left.json]).toMatchObject([0, { change: 'member.remove', by: login }])
  await until('her connection is closed', () => !before.mqtt.connected)
  expect(await logsIn(site, login, key)).toBe(false)
  expect((await site.console('/v1/sensors', { login, key })).status).toBe(401)
  // Nor does a share made there for her bring her back, or a second leave.
  const again = await leaveHere(login, key)
  expect([again.code, again.json['error']]).toMatchObject([1, { code: 'CONSOLE_UNAUTHORISED' }])
  expect(await reads(lou)).toEqual(['shown'])
  await site.inForce(() => {
    site.mendLink()
    return Promise.resolve()
  })
  await until('it is judged', async () => (await judged()).length > earlier.length)
  expect((await judged()).slice(earlier.length)).toEqual(['accepted'])
  expect(await site.store.read.get('membership', { org: 'alpha', user: 'lou' })).toMatchObject({
    state: 'left',
  })
  expect(await logsIn(site, login, key)).toBe(false)
  // Invited again: another membership, and nothing of the one before.
  await directory.joins(lou, { to: 'alpha', by: ada })
  const next = await site.inForce(() => directory.key(lou, 'alpha'))
  await until('she is known again', () => logsIn(site, login, next))
  const after = await listening(site, login, next)
  expect(await teller.isHeardBy(after, 'shown')).toBe(false)
  expect(ofDevices(after)).toEqual([])
  expect(await reads(lou)).toEqual([])
})

test('edge case 3: owners leave in the cloud only, and the last one not at all, with or without a link', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { directory } = site
  expect((await directory.http(ada, 'DELETE /v1/me/memberships/alpha')).code).toBe('DIRECTORY_LAST_OWNER')
  site.cutLink()
  const alone = await leaveHere('alpha:ada', adasKey)
  expect([alone.code, alone.json['error']]).toMatchObject([1, { code: 'CHANGE_REFUSED' }])
  site.mendLink()
  // Two owners: one of them could leave here while the other leaves there.
  const { key, login } = await site.member('oda', { of: 'alpha', by: ada, role: 'owner' })
  await until('she is known on site', () => logsIn(site, login, key))
  const second = await leaveHere(login, key)
  expect([second.code, second.json['error']]).toMatchObject([1, { code: 'CHANGE_REFUSED' }])
  expect(await logsIn(site, login, key)).toBe(true)
  expect(await logsIn(site, 'alpha:ada', adasKey)).toBe(true)
})
