import { expect, test } from 'vitest'
import { serveDirectory } from '../../../support/directory-api.ts'
import { createAllowance } from '../../../../cloud-sync/cloud/api/directory/allowance.ts'

const TEAMS = '/v1/organisations/acme/teams'

async function withAna() {
  const api = await serveDirectory()
  await api.directory.person('ana', 'acme')
  return { api, ana: await api.session('ana') }
}

test('a write repeated with its key is done once, and says so', async () => {
  const { api, ana } = await withAna()
  const asked = { method: 'POST', key: 'k-1', body: { handle: 'night', name: 'Night' } }
  const first = await api.ask(ana, TEAMS, asked)
  const again = await api.ask(ana, TEAMS, asked)
  expect(again).toMatchObject({ status: 201, body: first.body })
  expect(first.headers.get('Idempotency-Replayed')).toBeNull()
  expect(again.headers.get('Idempotency-Replayed')).toBe('true')
  const other = await api.ask(ana, TEAMS, { ...asked, body: { handle: 'day', name: 'Day' } })
  expect(other).toMatchObject({ status: 409, body: { code: 'DIRECTORY_KEY_REUSED' } })
  expect((await api.ask(ana, TEAMS)).body['items']).toHaveLength(1)
})

test('a secret is shown once, also to who repeats the write', async () => {
  const { api, ana } = await withAna()
  const asked = { method: 'POST', key: 'k-1' }
  const first = await api.ask(ana, '/v1/organisations/acme/api-key', asked)
  const again = await api.ask(ana, '/v1/organisations/acme/api-key', asked)
  expect(first.body['secret']).toEqual(expect.any(String))
  expect(again.body).toEqual({ token: first.body['token'], secret: null })
})

test.for([1, 3, 7])('pages of %i add up to the list, each item once', async (limit) => {
  const { api, ana } = await withAna()
  for (let count = 0; count < 7; count += 1)
    await api.ask(ana, TEAMS, { method: 'POST', body: { handle: `team-${count}`, name: 'T' } })
  for (const path of [TEAMS, '/v1/organisations/acme/audit']) {
    const seen: unknown[] = []
    let next: unknown = ''
    do {
      const cursor = next === '' ? '' : `&cursor=${String(next)}`
      const { status, body } = await api.ask(ana, `${path}?limit=${limit}${cursor}`)
      expect(status).toBe(200)
      expect((body['items'] as unknown[]).length).toBeLessThanOrEqual(limit)
      seen.push(...(body['items'] as unknown[]))
      next = body['next']
    } while (next !== null)
    const whole = (await api.ask(ana, `${path}?limit=199`)).body['items']
    expect(seen).toEqual(whole)
    expect(seen.length).toBeGreaterThanOrEqual(7)
  }
})

test('what does not exist and what may not be seen are told apart by nothing', async () => {
  const { api, ana } = await withAna()
  await api.directory.person('zed', 'zeta')
  const zed = await api.session('zed')
  const { body } = await api.ask(zed, '/v1/organisations/zeta/teams', {
    method: 'POST',
    body: { handle: 'night', name: 'Night' },
  })
  const asked: [string, string, string, object?][] = [
    ['GET', '/v1/organisations/zeta', '/v1/organisations/none'],
    ['GET', '/v1/organisations/zeta/members', '/v1/organisations/none/members'],
    ['GET', '/v1/organisations/zeta/audit?limit=1', '/v1/organisations/none/audit?limit=1'],
    ['PATCH', '/v1/organisations/zeta', '/v1/organisations/none', { name: 'X' }],
    ['POST', '/v1/organisations/zeta/teams', '/v1/organisations/none/teams', { handle: 'aa', name: 'A' }],
    ['DELETE', `/v1/organisations/acme/teams/${String(body['team'])}`, '/v1/organisations/acme/teams/id-999'],
    ['DELETE', '/v1/organisations/zeta/members/zed', '/v1/organisations/none/members/zed'],
  ]
  for (const [method, there, nowhere, sent] of asked) {
    const seen = await api.ask(ana, there, { method, body: sent })
    const none = await api.ask(ana, nowhere, { method, body: sent })
    expect(seen.status, there).toBe(404)
    expect(seen.body, there).toEqual(none.body)
    const names = (headers: Headers) => [...headers.keys()].filter((name) => name !== 'date').sort()
    expect(names(seen.headers)).toEqual(names(none.headers))
  }
})

const refusals: [name: string, method: string, path: string, sent: object, status: number, code: string][] = [
  [
    'a form',
    'POST',
    TEAMS,
    { headers: { 'Content-Type': 'text/plain' }, body: '{}' },
    415,
    'API_CONTENT_TYPE',
  ],
  [
    'a compressed body',
    'POST',
    TEAMS,
    { headers: { 'Content-Encoding': 'gzip' }, body: '{}' },
    415,
    'API_CONTENT_TYPE',
  ],
  ['a list', 'POST', TEAMS, { body: [] }, 400, 'API_REQUEST_INVALID'],
  ['half a body', 'POST', TEAMS, { body: '{"handle":' }, 400, 'API_REQUEST_INVALID'],
  [
    'an unknown field',
    'POST',
    TEAMS,
    { body: { handle: 'aa', name: 'A', x: 1 } },
    400,
    'API_REQUEST_INVALID',
  ],
  ['a field of the address again', 'POST', TEAMS, { body: { org: 'zeta' } }, 400, 'API_REQUEST_INVALID'],
  [
    'a body beyond all measure',
    'POST',
    TEAMS,
    { body: { name: 'x'.repeat(20_000) } },
    413,
    'API_BODY_TOO_LARGE',
  ],
  ['a body where there is none', 'DELETE', `${TEAMS}/t`, { body: { a: 1 } }, 400, 'API_REQUEST_INVALID'],
  ['an unknown question', 'GET', `${TEAMS}?x=1`, {}, 400, 'API_REQUEST_INVALID'],
  ['a question asked twice', 'GET', `${TEAMS}?limit=1&limit=2`, {}, 400, 'API_REQUEST_INVALID'],
  ['a limit of nought', 'GET', `${TEAMS}?limit=0`, {}, 400, 'API_REQUEST_INVALID'],
  ['a limit beyond the bound', 'GET', `${TEAMS}?limit=200`, {}, 400, 'API_REQUEST_INVALID'],
  ['a cursor that was never given', 'GET', `${TEAMS}?cursor=%25`, {}, 400, 'API_REQUEST_INVALID'],
  ['an endless key', 'POST', TEAMS, { key: 'k'.repeat(129), body: {} }, 400, 'API_REQUEST_INVALID'],
]
test.for(refusals)('%s is refused', async ([, method, path, sent, status, code]) => {
  const { api, ana } = await withAna()
  const { headers, ...answered } = await api.ask(ana, path, { method, ...sent })
  expect(answered).toMatchObject({ status, body: { status, code, hint: expect.any(String) as string } })
  expect(headers.get('Content-Type')).toBe('application/problem+json')
  expect(JSON.stringify(answered.body)).not.toMatch(/\.ts|node_modules|    at /)
})

test('a fault is named where it is', async () => {
  const { api, ana } = await withAna()
  const { body } = await api.ask(ana, TEAMS, { method: 'POST', body: { handle: 'X', name: 'A' } })
  expect(body['errors']).toMatchObject([{ pointer: '#/handle' }])
})

test('HEAD is GET without the body, OPTIONS tells the methods, and no other site is let in', async () => {
  const { api, ana } = await withAna()
  const head = await api.ask(ana, TEAMS, { method: 'HEAD' })
  expect(head).toMatchObject({ status: 200, body: { text: '' } })
  const options = await api.ask(undefined, TEAMS, {
    method: 'OPTIONS',
    headers: { Origin: 'https://evil.example' },
  })
  expect(options.status).toBe(204)
  expect(options.headers.get('Allow')).toBe('GET, POST, HEAD, OPTIONS')
  expect(options.headers.get('Access-Control-Allow-Origin')).toBeNull()
  expect(head.headers.get('X-Content-Type-Options')).toBe('nosniff')
  expect(head.headers.get('Cache-Control')).toBe('no-store')
})

test('one user who asks too much waits, and nobody else does', async () => {
  const { api, ana } = await withAna()
  await api.directory.person('zed', 'zeta')
  const zed = await api.session('zed')
  const answers = await Promise.all(Array.from({ length: 220 }, () => api.ask(ana, '/v1/me')))
  const refused = answers.filter(({ status }) => status === 429)
  expect(refused).toHaveLength(20)
  expect(refused[0]?.body['code']).toBe('API_RATE_LIMITED')
  expect(refused[0]?.headers.get('Retry-After')).toBe('1')
  expect((await api.ask(zed, '/v1/me')).status).toBe(200)
  api.passSeconds(1)
  expect((await api.ask(ana, '/v1/me')).status).toBe(200)
})

test('an allowance forgets the quietest name beyond its bound, and refills', () => {
  let now = 0
  const allowance = createAllowance({ perSecond: 1, burst: 2, namesMax: 3 }, () => now)
  expect(['a', 'a', 'a'].map((name) => allowance.take(name))).toEqual([0, 0, 1])
  now += 1_000
  expect(['a', 'a'].map((name) => allowance.take(name))).toEqual([0, 1])
  for (const name of ['b', 'c', 'd']) allowance.take(name)
  expect(allowance.take('a')).toBe(0)
  allowance.fine('a', 10)
  expect(allowance.take('a')).toBe(1)
})

test.each([
  ['a body', 'POST', '/v1/sessions', { login: 'a\0b', password: 'x' }],
  ['a password', 'POST', '/v1/sessions', { login: 'ana', password: 'a\0' }],
  ['the name of a field', 'POST', '/v1/sessions', { login: 'ana', password: 'x', 'a\0': 1 }],
  ['a query', 'GET', '/v1/organisations/acme/public-organisations?name=abc%00d', undefined],
  ['an address', 'DELETE', '/v1/organisations/acme/teams/a%00', undefined],
  ['a cursor', 'GET', `${TEAMS}?cursor=${Buffer.from('a\0').toString('base64url')}`, undefined],
])('U+0000 in %s is refused before anything is asked of the database', async (_where, method, path, body) => {
  const { api, ana } = await withAna()
  const secret = path === '/v1/sessions' ? undefined : ana
  const { status, body: problem } = await api.ask(secret, path, { method, ...(body && { body }) })
  expect([status, problem['code']]).toEqual([400, 'API_REQUEST_INVALID'])
})

test('U+0000 in credentials is a wrong login, and a backslash before u0000 is none', async () => {
  const { api, ana } = await withAna()
  const Authorization = `Basic ${Buffer.from('ac\0me:ana:key').toString('base64')}`
  expect((await api.ask(undefined, TEAMS, { headers: { Authorization } })).status).toBe(401)
  const named = { handle: 'slash', name: String.raw`back\u0000slash` }
  expect((await api.ask(ana, TEAMS, { method: 'POST', body: named })).status).toBe(201)
})
