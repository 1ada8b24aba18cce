import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type DirectoryStore, openDirectoryStore } from '../../../cloud-sync/cloud/storage/index.ts'
import { writeDirectory } from '../../support/cloud-fixture.ts'
import { type CloudProcess, spawnCloud, writeConfig } from '../../support/cloud-process.ts'
import { fakeGateway } from '../../support/fake-gateway.ts'

const START_MS_MAX = 120_000
const CASE_MS_MAX = 120_000
const KEY = Buffer.alloc(32).toString('base64')
const folder = mkdtempSync(join(tmpdir(), 'headgate-edge-'))
const cleanUps: (() => Promise<void> | void)[] = [
  () => {
    rmSync(folder, { recursive: true, force: true })
  },
]
let cloud: CloudProcess
let store: DirectoryStore
let operator = ''
let keys = 0

interface Answered {
  readonly status: number
  readonly code: unknown
  readonly body: Record<string, unknown>
}

/** One request to the running cloud; a write has a key of its own. `as` names for whom somebody acts. */
async function http(secret: string, line: string, body?: object, as?: string): Promise<Answered> {
  const [method = '', path = ''] = line.split(' ')
  const response = await fetch(`${cloud.http}${path}`, {
    method,
    headers: {
      ...(secret === '' ? {} : { Authorization: `Bearer ${secret}` }),
      ...(method === 'GET' ? {} : { 'Idempotency-Key': `edge-${(keys += 1)}` }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(as === undefined ? {} : { 'Headgate-Organisation': as }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  const parsed = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>
  return { status: response.status, code: parsed['code'], body: parsed }
}

/** Signs up, with an organisation where one is named, and in: the secret of the session. */
async function person(name: string, org?: string, more: object = {}): Promise<string> {
  const organisation = org === undefined ? {} : { organisation: { id: org, name: org, ...more } }
  const account = { username: name, email: `${name}@example.org`, password: `${name}-password`, name }
  expect(await http('', 'POST /v1/users', { ...account, ...organisation })).toMatchObject({ status: 201 })
  const secret = await mailed(account.email, 'verify')
  expect(await http('', 'POST /v1/email-verifications', { secret })).toMatchObject({ status: 200 })
  const session = await http('', 'POST /v1/sessions', { login: name, password: `${name}-password` })
  return String(session.body['secret'])
}
const org = (id: string, rest = ''): string => `/v1/organisations/${id}${rest}`
const SECRET_LENGTH = 43
const invite = (by: string, to: string, body: object) => http(by, `POST ${org(to, '/invitations')}`, body)
/** The secret in the newest such mail to an address, before or after it was sent. */
async function mailed(email: string, page: 'invitation' | 'verify' = 'invitation'): Promise<string> {
  const mails = await store.read.find('mail', { recipient: email }, { orderBy: ['created_at', 'id'] })
  const found = mails
    .map(({ id, body }) =>
      body === '' ? readFileSync(join(folder, 'data', 'outbox', `${id}.eml`), 'utf8') : body,
    )
    .map((text) => text.split(`/${page}#`)[1]?.slice(0, SECRET_LENGTH))
    .filter((one) => one !== undefined)
  return found.at(-1) ?? ''
}
const accept = async (by: string, email: string) =>
  http(by, 'POST /v1/invitations/acceptance', { secret: await mailed(email) })
async function joins(name: string, secret: string, to: string, by: string, role = 'member'): Promise<void> {
  expect((await invite(by, to, { email: `${name}@example.org`, role })).status).toBe(201)
  expect((await accept(secret, `${name}@example.org`)).status).toBe(200)
}
const gateway = (id: string, of: string) =>
  http(operator, 'POST /v1/operator/gateways', { org: of, gateway: id, publicKey: KEY })
const share = (by: string, of: string, resource: string, to: object, level = 'viewer') =>
  http(by, `POST ${org(of, '/shares')}`, { thing: { kind: 'gateway', resource }, to, level })
async function may(by: string, of: string, resource: string, right = 'data.read', as = of): Promise<unknown> {
  const asked = `GET ${org(of, `/permission?kind=gateway&resource=${resource}&right=${right}`)}`
  return (await http(by, asked, undefined, as)).body['allowed']
}

beforeAll(async () => {
  const directory = writeDirectory(folder, [fakeGateway('GW-1', '0')])
  cloud = await spawnCloud(writeConfig(folder, directory), (cleanUp) => cleanUps.push(cleanUp))
  store = await openDirectoryStore({ dialect: 'sqlite', path: join(folder, 'data', 'organisations.db') })
  cleanUps.push(() => store.close())
  operator = readFileSync(join(folder, 'data', 'operator.token'), 'utf8').trim()
}, START_MS_MAX)
afterAll(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp()
}, START_MS_MAX)

test(
  'edge cases 1, 2 and 3: an invitation opens for its address once, shares wait for it, and leaving revives nothing',
  async () => {
    const [ada, ben, cat] = [await person('ada', 'alpha'), await person('ben'), await person('cat')]
    await gateway('GW-A', 'alpha')
    await invite(ada, 'alpha', { email: 'ben@example.org', role: 'member' })
    const older = await mailed('ben@example.org')
    // Case 1: opened by somebody else, and again after it was sent anew.
    const open = (by: string, secret: string) => http(by, 'POST /v1/invitations/acceptance', { secret })
    expect((await open(cat, older)).code).toBe('DIRECTORY_INVITATION_INVALID')
    const toBen = { kind: 'user', user: 'ben' }
    // Case 2: who has not accepted is shown nothing, who has is.
    expect((await share(ada, 'alpha', 'GW-A', toBen)).code).toBe('DIRECTORY_INVITEE_PENDING')
    await invite(ada, 'alpha', { email: 'Ben@example.org', role: 'member' })
    expect((await open(ben, older)).code).toBe('DIRECTORY_INVITATION_INVALID')
    const secret = (await mailed('Ben@example.org')) || (await mailed('ben@example.org'))
    expect((await open(ben, secret)).status).toBe(200)
    expect((await open(ben, secret)).code).toBe('DIRECTORY_INVITATION_INVALID')
    expect((await invite(ada, 'alpha', { email: 'ben@example.org' })).code).toBe('DIRECTORY_EXISTS')
    expect((await share(ada, 'alpha', 'GW-A', toBen)).status).toBe(201)
    expect(await may(ben, 'alpha', 'GW-A')).toBe(true)
    // Case 3: what was shown stays with who leaves until an administrator ends it; a new membership revives none.
    expect((await http(ada, 'DELETE /v1/me/memberships/alpha')).code).toBe('DIRECTORY_LAST_OWNER')
    expect((await http(ben, 'DELETE /v1/me/memberships/alpha')).status).toBe(204)
    expect(await may(ben, 'alpha', 'GW-A')).toBe(true)
    expect((await open(ben, secret)).code).toBe('DIRECTORY_INVITATION_INVALID')
    await joins('ben', ben, 'alpha', ada)
    expect(await may(ben, 'alpha', 'GW-A')).toBe(false)
  },
  CASE_MS_MAX,
)

test(
  'edge cases 4, 5 and 6: what is private is as if absent, policies are one way, and contexts never mix',
  async () => {
    const [dan, eve] = [
      await person('dan', 'delta'),
      await person('eve', 'epsilon', { name: 'Épsilon Works' }),
    ]
    await gateway('GW-D', 'delta')
    const found = async (name: string) =>
      (await http(dan, `GET ${org('delta', `/public-organisations?name=${encodeURIComponent(name)}`)}`)).body[
        'items'
      ]
    const add = (name: string) => http(dan, `POST ${org('delta', '/sharing-policies')}`, { name })
    const visible = (visibility: string) => http(eve, `PUT ${org('epsilon', '/visibility')}`, { visibility })
    expect(await found('epsilon')).toEqual(await found('nothing at all'))
    expect((await add('Épsilon Works')).status).toBe((await add('Nothing At All')).status)
    await visible('public')
    expect([await found('ép'), await found('EPSI')]).toMatchObject([[], [{ id: 'epsilon' }]])
    expect((await add('Épsilon')).status).toBe(404)
    const toEve = { kind: 'user', user: 'eve', org: 'epsilon' }
    expect((await share(dan, 'delta', 'GW-D', toEve)).code).toBe('DIRECTORY_NO_POLICY')
    expect((await add('epsilon works')).status).toBe(201)
    // Case 4: private again, the policy stays.
    await visible('private')
    expect((await share(dan, 'delta', 'GW-D', toEve)).status).toBe(201)
    expect(await may(eve, 'delta', 'GW-D', 'data.read', 'epsilon')).toBe(true)
    // Case 5: not the other way; deleted, its shares sleep, and a new one does not wake them.
    await gateway('GW-E', 'epsilon')
    expect((await share(eve, 'epsilon', 'GW-E', { kind: 'user', user: 'dan', org: 'delta' })).code).toBe(
      'DIRECTORY_NO_POLICY',
    )
    expect((await http(dan, `DELETE ${org('delta', '/sharing-policies/epsilon')}`)).status).toBe(204)
    expect(await may(eve, 'delta', 'GW-D', 'data.read', 'epsilon')).not.toBe(true)
    await visible('public')
    await add('epsilon works')
    expect(await may(eve, 'delta', 'GW-D', 'data.read', 'epsilon')).not.toBe(true)
    // Case 6: in both organisations, each for itself; the key of one opens nothing of the other.
    await joins('eve', eve, 'delta', dan, 'viewer')
    expect([
      await may(eve, 'delta', 'GW-D', 'data.read', 'delta'),
      await may(eve, 'delta', 'GW-D', 'data.read', 'epsilon'),
    ]).toEqual([true, false])
    const made = await http(eve, `POST ${org('epsilon', '/api-key')}`)
    const key = String(made.body['secret'])
    expect((await http(key, `GET ${org('epsilon')}`)).status).toBe(200)
    expect((await http(key, `GET ${org('delta')}`)).status).not.toBe(200)
  },
  CASE_MS_MAX,
)

test(
  'edge cases 7, 8, 9 and 22: all or nothing, way by way, observers read, and one key at a time',
  async () => {
    const [fay, gus] = [await person('fay', 'foxtrot'), await person('gus')]
    for (const id of ['GW-F1', 'GW-F2']) await gateway(id, 'foxtrot')
    await joins('gus', gus, 'foxtrot', fay)
    // Case 7: a view with a gateway that is not the organisation's is shared whole or not at all.
    const view = async (gateways: string[]) =>
      (
        await http(fay, `POST ${org('foxtrot', '/views')}`, {
          name: 'Map',
          kind: 'map',
          gateways,
          definition: {},
        })
      ).body['view']
    const show = async (id: unknown) =>
      http(fay, `POST ${org('foxtrot', '/shares')}`, {
        thing: { kind: 'view', resource: id },
        to: { kind: 'user', user: 'gus' },
      })
    expect((await show(await view(['GW-F1', 'GW-1']))).status).not.toBe(201)
    expect(await may(gus, 'foxtrot', 'GW-F1')).toBe(false)
    const shown = await show(await view(['GW-F1']))
    expect([await may(gus, 'foxtrot', 'GW-F1'), await may(gus, 'foxtrot', 'GW-F1', 'device.config')]).toEqual(
      [true, false],
    )
    // Case 8: by view, by team and directly; it lasts until the last way is gone.
    const { body: made } = await http(fay, `POST ${org('foxtrot', '/teams')}`, {
      handle: 'crew',
      name: 'Crew',
    })
    const member = org('foxtrot', `/teams/${String(made['team'])}/members/gus`)
    await http(fay, `PUT ${member}`, { role: 'member' })
    const byTeam = await share(fay, 'foxtrot', 'GW-F1', { kind: 'team', handle: 'crew' })
    expect(byTeam.status).toBe(201)
    const end = (grant: unknown) => http(fay, `DELETE ${org('foxtrot', `/shares/${String(grant)}`)}`)
    await end(shown.body['grant'])
    expect(await may(gus, 'foxtrot', 'GW-F1')).toBe(true)
    await http(fay, `DELETE ${member}`)
    expect(await may(gus, 'foxtrot', 'GW-F1')).toBe(false)
    // Case 9: an observer with an editor's share only reads; with no share there is nothing, not everything.
    await http(fay, `PATCH ${org('foxtrot', '/members/gus')}`, { role: 'observer' })
    await share(fay, 'foxtrot', 'GW-F2', { kind: 'user', user: 'gus' }, 'editor')
    expect([
      await may(gus, 'foxtrot', 'GW-F2'),
      await may(gus, 'foxtrot', 'GW-F2', 'device.operate'),
      await may(gus, 'foxtrot', 'GW-F1'),
    ]).toEqual([true, false, false])
    // Case 22: of keys made at once one opens; a token above the own rights is not made; a removed member's key is dead.
    const regenerated = await Promise.all(
      Array.from({ length: 4 }, () => http(gus, `POST ${org('foxtrot', '/api-key')}`)),
    )
    const opens = await Promise.all(
      regenerated.map(({ body }) => http(String(body['secret']), `GET ${org('foxtrot')}`)),
    )
    expect(opens.filter(({ status }) => status === 200)).toHaveLength(1)
    const token = (password: string, scope: string) =>
      http(gus, `POST ${org('foxtrot', '/tokens')}`, { name: 'excel', scope, expiresAt: null, password })
    expect((await token('gus-password', 'full')).code).toBe('DIRECTORY_FORBIDDEN')
    expect((await token('wrong-password', 'read')).code).toBe('DIRECTORY_PASSWORD_WRONG')
    const key = String(regenerated[opens.findIndex(({ status }) => status === 200)]?.body['secret'])
    await http(fay, `DELETE ${org('foxtrot', '/members/gus')}`)
    expect((await http(key, `GET ${org('foxtrot')}`)).status).toBe(401)
  },
  CASE_MS_MAX,
)

test(
  'edge case 23: a partner’s people come and go with it, unseen by the customer, who ends it at once',
  async () => {
    const pia = await person('pia', 'prime', { type: 'partner', preset: 'meter.me' })
    const sam = await person('sam')
    await joins('sam', sam, 'prime', pia, 'systems-admin')
    const customer = { id: 'ranch', name: 'Ranch', systems: ['House'], lead: 'lea@example.org' }
    expect((await http(sam, `POST ${org('prime', '/customers')}`, customer)).status).toBe(201)
    const lea = await person('lea')
    await accept(lea, 'lea@example.org')
    const see = async (by: string) => (await http(by, `GET ${org('ranch')}`, undefined, 'prime')).status
    expect([await see(pia), await see(sam)]).toEqual([200, 200])
    await http(sam, `PATCH ${org('ranch')}`, { description: 'managed' }, 'prime')
    const surfaces = await Promise.all(
      ['/members', '/management-links', '/audit', '/invitations'].map((rest) =>
        http(lea, `GET ${org('ranch', rest)}`),
      ),
    )
    const seen = JSON.stringify(surfaces.map(({ body }) => body))
    expect(seen).toContain('prime')
    expect(seen).not.toMatch(/"(sam|pia)"/)
    await http(pia, `DELETE ${org('prime', '/members/sam')}`)
    expect(await see(sam)).not.toBe(200)
    const links = surfaces[1]?.body['items'] as { link: string }[]
    expect(
      (await http(lea, `DELETE ${org('ranch', `/management-links/${links[0]?.link ?? ''}`)}`)).status,
    ).toBe(204)
    expect(await see(pia)).not.toBe(200)
  },
  CASE_MS_MAX,
)
