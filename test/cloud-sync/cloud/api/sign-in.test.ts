import { expect, test, vi } from 'vitest'
import { DirectoryRefusal } from '../../../../cloud-sync/cloud/directory/errors.ts'
import { type DirectoryApi, OPERATOR_TOKEN, serveDirectory } from '../../../support/directory-api.ts'

const basic = (login: string, secret: string) => ({
  Authorization: `Basic ${Buffer.from(`${login}:${secret}`).toString('base64')}`,
})

/** Ana owns acme and beta; the token is hers in acme. */
async function withToken(scope: 'full' | 'read' | 'write' = 'full') {
  const api = await serveDirectory()
  await api.directory.person('ana', 'acme')
  const ana = await api.session('ana')
  await api.ask(ana, '/v1/organisations', { method: 'POST', body: { id: 'beta', name: 'Beta' } })
  const body = { name: 'meter', scope, expiresAt: null, password: 'ana-password' }
  const made = await api.ask(ana, '/v1/organisations/acme/tokens', { method: 'POST', body })
  return { api, ana, token: String(made.body['secret']) }
}

test('a wrong password, an unknown user and a wrong key have one answer each', async () => {
  const { api, token } = await withToken()
  const signIn = (login: string, password: string) =>
    api.ask(undefined, '/v1/sessions', { method: 'POST', body: { login, password } })
  const wrong = await signIn('ana', 'not-it')
  expect(wrong).toMatchObject({ status: 401, body: { code: 'DIRECTORY_PASSWORD_WRONG' } })
  expect((await signIn('nobody', 'not-it')).body).toEqual(wrong.body)
  const answers = await Promise.all(
    [
      basic('acme:meter', 'x'),
      basic('acme:nobody', token),
      basic('beta:meter', token),
      basic('acme', token),
      {},
    ].map((headers) => api.ask(undefined, '/v1/me', { headers })),
  )
  expect(new Set(answers.map(({ status, body }) => `${status} ${JSON.stringify(body)}`)).size).toBe(1)
  expect(answers[0]).toMatchObject({ status: 401, body: { code: 'API_UNAUTHORISED' } })
  expect((await api.ask(undefined, '/v1/me', { headers: basic('acme:meter', token) })).status).toBe(200)
})

test('a token acts in its own organisation only, whatever else its user is (edge case 6)', async () => {
  const { api, ana, token } = await withToken()
  expect((await api.ask(ana, '/v1/organisations/beta')).status).toBe(200)
  const foreign = await api.ask(token, '/v1/organisations/beta')
  expect(foreign).toMatchObject({ status: 404, body: { code: 'DIRECTORY_NOT_FOUND' } })
  const said = await api.ask(token, '/v1/organisations/beta', {
    headers: { 'Headgate-Organisation': 'beta' },
  })
  expect(said).toMatchObject({ status: 401, body: { code: 'API_UNAUTHORISED' } })
  expect((await api.ask(token, '/v1/organisations')).body).toMatchObject({ code: 'API_SESSION_NEEDED' })
  expect((await api.ask(token, '/v1/organisations/acme')).status).toBe(200)
})

test('no key touches the account, and none makes another key', async () => {
  const { api, token } = await withToken()
  const asked: [string, string, object?][] = [
    ['PATCH', '/v1/me', { email: 'thief@example.org' }],
    ['PUT', '/v1/me/password', { password: 'ana-password', newPassword: 'thief-password' }],
    ['POST', '/v1/organisations/acme/api-key'],
    [
      'POST',
      '/v1/organisations/acme/tokens',
      { name: 'b', scope: 'full', expiresAt: null, password: 'ana-password' },
    ],
    ['POST', '/v1/organisations/acme/deletion', { password: 'ana-password' }],
    ['DELETE', '/v1/me/memberships/acme'],
  ]
  for (const [method, path, body] of asked)
    expect(await api.ask(token, path, { method, body })).toMatchObject({
      status: 403,
      body: { code: 'API_SESSION_NEEDED' },
    })
})

test.for([
  ['read', 200, 403],
  ['write', 403, 201],
] as const)('a token that only may %s does nothing else', async ([scope, reads, writes]) => {
  const { api, token } = await withToken(scope)
  expect((await api.ask(token, '/v1/organisations/acme/members')).status).toBe(reads)
  const body = { handle: 'night', name: 'Night' }
  expect((await api.ask(token, '/v1/organisations/acme/teams', { method: 'POST', body })).status).toBe(writes)
})

test('a session acts for the organisation that it names, and rights of two never add up', async () => {
  const { api } = await withToken()
  await api.directory.person('pat', 'pro', { type: 'partner', preset: 'meter.me' })
  const pat = await api.session('pat')
  const customer = { id: 'cust', name: 'Customer' }
  await api.ask(pat, '/v1/organisations/pro/customers', { method: 'POST', body: customer })
  expect((await api.ask(pat, '/v1/organisations/cust')).status).toBe(404)
  const asPartner = { headers: { 'Headgate-Organisation': 'pro' } }
  expect((await api.ask(pat, '/v1/organisations/cust', asPartner)).body).toMatchObject({ id: 'cust' })
  // A partner's key acts for the partner, in its customers as well, and for no other organisation of its person.
  const { body } = await api.ask(pat, '/v1/organisations/pro/api-key', { method: 'POST' })
  await api.ask(pat, '/v1/organisations', { method: 'POST', body: { id: 'side', name: 'Side' } })
  const withKey = async (org: string) =>
    (await api.ask(String(body['secret']), `/v1/organisations/${org}`)).status
  expect([await withKey('pro'), await withKey('cust'), await withKey('side')]).toEqual([200, 200, 404])
  const wrong = { headers: { 'Headgate-Organisation': 'no such' } }
  expect((await api.ask(pat, '/v1/organisations/cust', wrong)).status).toBe(400)
})

async function withCookie(api: DirectoryApi) {
  const body = { login: 'ana', password: 'ana-password', browser: true }
  const made = await api.ask(undefined, '/v1/sessions', { method: 'POST', body })
  const set = made.headers.get('Set-Cookie') ?? ''
  return { made, set, cookie: set.split(';')[0] ?? '', csrf: String(made.body['csrf']) }
}

test('a browser session is a cookie that no script reads, and writes only with its CSRF token', async () => {
  const { api } = await withToken()
  const { made, set, cookie, csrf } = await withCookie(api)
  expect(made.body).toMatchObject({ user: 'ana', secret: null })
  expect(set).toMatch(/^__Host-headgate=[\w-]{43};.*Path=\/.*HttpOnly; Secure; SameSite=Strict/)
  expect((await api.ask(undefined, '/v1/me', { headers: { Cookie: cookie } })).status).toBe(200)
  const write = (headers: Record<string, string>) =>
    api.ask(undefined, '/v1/me', {
      method: 'PATCH',
      body: { name: 'A' },
      headers: { Cookie: cookie, ...headers },
    })
  expect(await write({})).toMatchObject({ status: 403, body: { code: 'API_CROSS_SITE' } })
  expect((await write({ 'X-CSRF-Token': `${csrf}x` })).status).toBe(403)
  expect((await write({ 'X-CSRF-Token': csrf, 'Sec-Fetch-Site': 'cross-site' })).status).toBe(403)
  expect((await write({ 'X-CSRF-Token': csrf, 'Sec-Fetch-Site': 'same-origin' })).status).toBe(200)
  const shown = await api.ask(undefined, '/v1/sessions/current', { headers: { Cookie: cookie } })
  expect(shown.body).toEqual({ user: 'ana', csrf })
  const out = { method: 'DELETE', headers: { Cookie: cookie, 'X-CSRF-Token': csrf } }
  const ended = await api.ask(undefined, '/v1/sessions/current', out)
  expect(ended.status).toBe(204)
  expect(ended.headers.get('Set-Cookie')).toMatch(/^__Host-headgate=; Max-Age=0/)
  expect((await api.ask(undefined, '/v1/me', { headers: { Cookie: cookie } })).status).toBe(401)
})

test('whoever guesses a password is let wait', async () => {
  const { api } = await withToken()
  const answers = []
  for (let tries = 0; tries < 11; tries += 1)
    answers.push(
      await api.ask(undefined, '/v1/sessions', {
        method: 'POST',
        body: { login: 'ana', password: `guess ${tries}` },
      }),
    )
  expect(answers.slice(0, 10).map(({ status }) => status)).toEqual(Array<number>(10).fill(401))
  expect(answers.at(-1)).toMatchObject({ status: 429, body: { code: 'DIRECTORY_TOO_MANY_TRIES' } })
  expect(answers.at(-1)?.headers.get('Retry-After')).toBe('900')
})

test('who finds the queue of passwords full is told when to come again', async () => {
  const { api } = await withToken()
  const full = vi.spyOn(api.directory.world.hashing, 'run')
  full.mockRejectedValueOnce(new DirectoryRefusal('DIRECTORY_BUSY', 'full'))
  const body = { login: 'ana', password: 'ana-password' }
  const refused = await api.ask(undefined, '/v1/sessions', { method: 'POST', body })
  expect(refused).toMatchObject({ status: 429, body: { code: 'DIRECTORY_BUSY' } })
  expect(refused.headers.get('Retry-After')).toBe('5')
  expect((await api.ask(undefined, '/v1/sessions', { method: 'POST', body })).status).toBe(201)
})

test('an operator of the platform acts with a session, from anywhere, as themselves; nobody else and no key does', async () => {
  const { api, ana, token } = await withToken()
  await api.directory.person('zoe')
  const zoe = await api.session('zoe')
  const operators = '/v1/operator/operators'
  const forwarded = { headers: { 'X-Forwarded-For': '203.0.113.5' } }
  expect((await api.ask(zoe, operators)).status).toBe(401)
  for (const user of ['zoe', 'ana'])
    expect((await api.ask(OPERATOR_TOKEN, `${operators}/${user}`, { method: 'PUT' })).status).toBe(200)
  expect((await api.ask(zoe, operators)).body).toMatchObject({ items: [{ user: 'ana' }, { user: 'zoe' }] })
  expect((await api.ask(zoe, operators, forwarded)).status).toBe(200)
  expect((await api.ask(zoe, '/v1/operator/accounts')).status).toBe(200)
  // Ana is an operator, her key is her organisation's.
  expect((await api.ask(token, operators)).status).toBe(401)
  expect((await api.ask(OPERATOR_TOKEN, operators, forwarded)).status).toBe(404)
  expect((await api.ask(zoe, `${operators}/ana`, { method: 'DELETE' })).status).toBe(204)
  const [line] = await api.directory.store.read.find('audit', { what: 'platform.end-operator' })
  expect(line).toMatchObject({ actor_kind: 'user', actor: 'zoe', actor_org: null })
  // No more than a stranger from then on.
  expect((await api.ask(ana, operators)).status).toBe(401)
  expect((await api.ask(ana, operators, forwarded)).status).toBe(404)
})
