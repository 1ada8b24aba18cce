import { afterAll, beforeAll, expect, test } from 'vitest'
import { org, type Person } from '../../support/directory-client.ts'
import { EdgeSite, GATEWAY, until } from '../../support/edge-site.ts'
import { listening, logsIn, ofDevices, Teller } from '../../support/edge-teller.ts'
import { movableClock } from '../../support/faketime.ts'
import { testWith } from '../../support/peers.ts'

const START_MS_MAX = 120_000
const CASE_MS_MAX = 120_000

const site = new EdgeSite()
let ada: Person
let teller: Teller

beforeAll(async () => {
  await site.beginCloud()
  ada = await site.directory.person('ada', 'alpha')
  await site.beginGateway('alpha')
  const key = await site.inForce(() => site.addDevices(ada, 'alpha', ['gauge']))
  teller = await Teller.at(site, 'alpha:ada', key)
}, START_MS_MAX)
afterAll(() => site.end(), START_MS_MAX)

const invite = (to: string, at: EdgeSite = site, by: Person = ada) =>
  at.directory.http(by, `POST ${org('alpha', '/invitations')}`, { email: to, role: 'member' })
const open = (by: Person, secret: string, at: EdgeSite = site) =>
  at.directory.http(by, 'POST /v1/invitations/acceptance', { secret })

test('edge case 1: an invitation opens once, for the account of its address, by its newest mail', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { directory } = site
  const [ben, cat] = [await directory.person('ben'), await directory.person('cat')]
  expect((await invite('BEN@Example.org')).status).toBe(201)
  const first = await directory.mailed('ben', 'BEN@Example.org')
  // Opened while somebody else is logged in, or forwarded: the same refusal, and it is as it was.
  const asCat = await open(cat, first)
  expect(asCat.code).toBe('DIRECTORY_INVITATION_INVALID')
  expect((await open(ada, first)).body).toEqual(asCat.body)
  expect((await open(cat, 'A'.repeat(43))).body).toEqual(asCat.body)
  const { items } = await directory.do(ada, `GET ${org('alpha', '/invitations')}`)
  expect(items).toMatchObject([{ email: 'BEN@Example.org', expired: false }])
  // Sent again: one invitation, and only its new mail opens.
  expect((await invite('ben@example.org')).status).toBe(201)
  const second = await directory.mailed('ben')
  expect(second).not.toBe(first)
  expect((await open(ben, first)).code).toBe('DIRECTORY_INVITATION_INVALID')
  // What comes after a plus is another address.
  expect((await invite('ben+dam@example.org')).status).toBe(201)
  expect((await open(ben, await directory.mailed('ben', 'ben+dam@example.org'))).code).toBe(
    'DIRECTORY_INVITATION_INVALID',
  )
  expect((await open(ben, second)).status).toBe(200)
  expect((await open(ben, second)).code).toBe('DIRECTORY_INVITATION_INVALID')
  expect((await invite('Ben@example.ORG')).code).toBe('DIRECTORY_EXISTS')
  // Whoever may not invite any more has invited nobody.
  const dan = await directory.person('dan')
  await directory.joins(dan, { to: 'alpha', by: ada, role: 'admin' })
  expect((await invite('cat@example.org', site, dan)).status).toBe(201)
  await directory.do(ada, `DELETE ${org('alpha', '/members/dan')}`)
  expect((await open(cat, await directory.mailed('cat'))).code).toBe('DIRECTORY_INVITATION_INVALID')
})

test('edge case 2: what is shown to who has not accepted is refused, and the same share after it is in force on site', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { directory } = site
  const hal = await directory.person('hal')
  await invite('hal@example.org')
  const share = (to: object) =>
    directory.http(ada, `POST ${org('alpha', '/shares')}`, {
      thing: { kind: 'device', resource: `${GATEWAY}/gauge` },
      to,
    })
  const ways = [
    { kind: 'user', user: 'hal' },
    { kind: 'email', email: 'Hal@example.org' },
  ]
  for (const to of ways) expect((await share(to)).code).toBe('DIRECTORY_INVITEE_PENDING')
  expect(await site.store.read.find('grant', { resource: `${GATEWAY}/gauge` })).toEqual([])
  expect((await share({ kind: 'email', email: 'nobody@example.org' })).code).toBe('DIRECTORY_NOT_FOUND')
  await directory.accepts(hal)
  const key = await site.inForce(() => directory.key(hal, 'alpha'))
  await until('he is known on site', () => logsIn(site, 'alpha:hal', key))
  const before = await listening(site, 'alpha:hal', key)
  expect(await teller.isHeardBy(before, 'gauge')).toBe(false)
  expect((await site.inForce(() => share(ways[0] ?? {}))).status).toBe(201)
  await until('it is in force', async () => teller.isHeardBy(before, 'gauge'))
  expect(await teller.obeys(before, 'gauge')).toBe(false)
  expect(ofDevices(before).length).toBeGreaterThan(0)
})

test('edge case 2: where only accounts are invited, an unknown address is told so and gets no mail', {
  timeout: CASE_MS_MAX,
}, async () => {
  const { directory } = site
  const tag = await directory.person('tag', 'tango', { preset: 'tagoio' })
  const unknown = { email: 'unknown@example.org' }
  const invited = await directory.http(tag, `POST ${org('tango', '/invitations')}`, unknown)
  expect(invited.code).toBe('DIRECTORY_NO_ACCOUNT')
  expect(await site.store.read.find('mail', { recipient: unknown.email })).toEqual([])
})

testWith('faketime')(
  'edge case 1: an invitation that has expired opens nothing, and sent again it does',
  { timeout: CASE_MS_MAX },
  async () => {
    const late = new EdgeSite()
    const clock = movableClock(late.folder, '2026-11-22 12:00:00')
    late.env = { cloud: clock.env }
    try {
      await late.beginCloud()
      const [owner, eve] = [await late.directory.person('ada', 'alpha'), await late.directory.person('eve')]
      await invite('eve@example.org', late, owner)
      const secret = await late.directory.mailed('eve')
      clock.set('2026-11-29 12:00:30')
      expect((await open(eve, secret, late)).code).toBe('DIRECTORY_INVITATION_INVALID')
      const { items } = await late.directory.do(owner, `GET ${org('alpha', '/invitations')}`)
      expect(items).toMatchObject([{ email: 'eve@example.org', expired: true }])
      await invite('eve@example.org', late, owner)
      expect((await open(eve, secret, late)).code).toBe('DIRECTORY_INVITATION_INVALID')
      expect((await open(eve, await late.directory.mailed('eve'), late)).status).toBe(200)
    } finally {
      await late.end()
    }
  },
)
