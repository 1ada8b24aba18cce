import { expect, test } from 'vitest'
import { epochOf, statusOf } from '../../support/fake-gateway.ts'
import { done } from '../../support/directory-world.ts'
import { E1, type Login, servedApi } from '../../support/served-api.ts'

const devicesIn = (body: Record<string, unknown>): string[] => {
  const list = (body['readings'] ?? []) as { gateway: string; device: string }[]
  return [...new Set(list.map(({ gateway, device }) => `${gateway}/${device}`))]
}

test('each organisation sees its own readings and nothing else', async () => {
  const api = await servedApi()
  const seen = async (login: Login) => devicesIn((await api.get(login, '/v1/readings')).body)
  expect(await seen('acme:ana')).toEqual(['GW-1/tilt-1'])
  expect(await seen('acme:meter')).toEqual(['GW-1/tilt-1'])
  expect(await seen('borealis:bea')).toEqual(['GW-1/level-1'])
  expect(await seen('cobalt:cid')).toEqual([])
  // A plain member sees what was shared with the member, so nothing yet.
  expect(await seen('acme:bob')).toEqual([])
  const forced = await api.get('borealis:bea', '/v1/readings?gateway=GW-1&device=tilt-1')
  expect(forced).toEqual({ status: 200, body: { readings: [], next: null } })
})

test('what a key or a custom role leaves out is left out of readings, devices, gateways and usage too', async () => {
  const api = await servedApi()
  const { directory: d } = api.cloud
  await d.person('adam')
  await d.joins('adam', 'acme', 'admin', 'ana')
  const { secret: key } = await done(d.write.tokens.regenerateKey(d.as('adam', 'acme'), { org: 'acme' }))
  const { role } = await done(
    d.write.roles.create(d.as('ana', 'acme'), {
      org: 'acme',
      name: 'Blind',
      without: ['data.read', 'device.status', 'gateway.status'],
    }),
  )
  const { secret: filler } = await done(
    d.write.tokens.create(d.as('adam', 'acme'), {
      ...{ org: 'acme', name: 'filler', scope: 'write', expiresAt: null, password: 'adam-password' },
    }),
  )
  const seen = async (login: string): Promise<unknown[]> => {
    await api.cloud.policies.caughtUp()
    const headers = { Authorization: `Basic ${Buffer.from(login).toString('base64')}` }
    const lists = ['readings', 'devices', 'gateways'].map(async (list) => {
      const body = (await (await api.raw(`/v1/${list}`, headers)).json()) as Record<string, unknown[]>
      return body[list]?.length
    })
    return [...(await Promise.all(lists)), (await api.raw('/v1/usage', headers)).status]
  }
  const adam = `acme:adam:${key ?? ''}`
  const change = (billing: boolean) =>
    done(
      d.write.members.changeRole(d.as('ana', 'acme'), { org: 'acme', user: 'adam', role: 'admin', billing }),
    )
  expect(await seen(adam)).toEqual([10, 2, 1, 403])
  await change(true)
  expect(await seen(adam)).toEqual([10, 2, 1, 200])
  expect(await seen(`acme:filler:${filler ?? ''}`)).toEqual([0, 0, 0, 403])
  // The device is there no more; what it measured is.
  await done(d.write.gateways.removeDevice(d.as('ana', 'acme'), { org: 'acme', device: 'GW-1/tilt-1' }))
  expect(await seen(adam)).toEqual([10, 1, 1, 200])
  expect(await seen(`acme:filler:${filler ?? ''}`)).toEqual([0, 0, 0, 403])
  await done(d.write.members.setCustomRole(d.as('ana', 'acme'), { org: 'acme', user: 'adam', role }))
  expect(await seen(adam)).toEqual([0, 0, 0, 200])
  await done(d.write.organisations.govern(d.operator(), { org: 'acme', state: 'suspended' }))
  expect(await seen('acme:ana:ana-key')).toEqual([undefined, undefined, undefined, 401])
})

test('usage is for owners and admins of the organisation itself; a stranger’s gateway bills nobody', async () => {
  const api = await servedApi()
  const { body } = await api.get('acme:ana', '/v1/usage')
  expect(body).toMatchObject({
    days: [
      { day: '2026-11-21', gateway: 'GW-1', subject: 'sensor:tilt-1/main', quantity: '21', billable: true },
    ],
    registers: [{ gateway: 'GW-1', end: '21', seq: 3 }],
  })
  expect((body['days'] as unknown[]).length).toBe(1)
  expect((await api.get('acme:ana', '/v1/usage?from=2026-11-22')).body).toMatchObject({ days: [] })
  expect((await api.get('borealis:bea', '/v1/usage')).body).toEqual({ days: [], registers: [] })
  expect(await api.get('acme:bob', '/v1/usage')).toMatchObject({
    status: 403,
    body: { code: 'API_FORBIDDEN' },
  })
})

test('gateways are shown to their own organisation only', async () => {
  const api = await servedApi()
  const { body } = await api.get('acme:bob', '/v1/gateways')
  expect(body).toMatchObject({
    gateways: [
      {
        id: 'GW-1',
        policy: { version: 1, applied: 0 },
        streams: expect.arrayContaining([{ stream: 'usage', epoch: E1, upTo: 3, state: 'open' }]) as unknown,
      },
    ],
  })
  expect((await api.get('borealis:bea', '/v1/gateways')).body).toEqual({ gateways: [] })
})

test('pages of any size add up to everything, in order of time, each reading once', async () => {
  const api = await servedApi()
  await api.shareTilt()
  const whole = (await api.get('borealis:bea', '/v1/readings')).body['readings'] as { takenAt: number }[]
  expect(whole).toHaveLength(20)
  expect(whole.map(({ takenAt }) => takenAt)).toEqual(
    whole.map(({ takenAt }) => takenAt).toSorted((a, b) => a - b),
  )
  for (const limit of [1, 3, 7, 20]) {
    const pages: unknown[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const more = cursor === '' ? '' : `&cursor=${cursor}`
      const { body } = await api.get('borealis:bea', `/v1/readings?limit=${limit}${more}`)
      pages.push(...(body['readings'] as unknown[]))
      cursor = body['next'] as string | null
    }
    expect(pages, `limit ${limit}`).toEqual(whole)
  }
})

test('a time range is inclusive and takes milliseconds or ISO 8601', async () => {
  const api = await servedApi()
  const count = async (query: string) =>
    ((await api.get('acme:ana', `/v1/readings?${query}`)).body['readings'] as unknown[]).length
  expect(await count('from=1700000002000&to=1700000006000')).toBe(3)
  expect(await count('from=2023-11-14T22:13:22Z&to=2023-11-14T22:13:26%2B00:00')).toBe(3)
  expect(await count('from=1700000002001&to=1700000003999')).toBe(0)
  expect((await api.get('acme:ana', '/v1/readings?from=yesterday')).body).toMatchObject({
    code: 'API_REQUEST_INVALID',
  })
  expect((await api.get('acme:ana', '/v1/readings?devise=x')).status).toBe(400)
})

test('SenML has names, seconds, values and the reason where there is none', async () => {
  const api = await servedApi()
  const { body } = await api.get('acme:ana', '/v1/readings?format=senml&limit=6')
  expect(body).toMatchObject([
    { n: 'GW-1/tilt-1/main/value', u: 'mm', t: 1_700_000_000, v: 0 },
    { t: 1_700_000_002, v: 0.02 },
    { v: 0.04 },
    { v: 0.06 },
    { v: 0.08 },
    { t: 1_700_000_010, q: 'bad:timeout' },
  ])
})

const wrong = [
  'acme:ana:wrong',
  'acme:nobody:ana-key',
  'nobody:ana:ana-key',
  'acme:ana',
  ':::',
  '',
  'acme:ana:',
]
test('whoever cannot be known gets one and the same answer', async () => {
  const api = await servedApi()
  const answers = new Set<string>()
  for (const credentials of wrong) {
    const response = await api.raw('/v1/readings', {
      Authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
    })
    expect(response.status).toBe(401)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    answers.add(await response.text())
  }
  answers.add(await (await api.raw('/v1/readings')).text())
  expect([...answers]).toHaveLength(1)
})

test('the operator’s surface wants its token', async () => {
  const api = await servedApi()
  for (const headers of [{}, { Authorization: 'Bearer wrong' }, { Authorization: 'Bearer ' }]) {
    expect((await api.raw('/v1/operator/ledger?gateway=GW-1', headers)).status).toBe(401)
  }
  const operator = { Authorization: 'Bearer operator-token' }
  const ledger = await api.raw('/v1/operator/ledger?gateway=GW-1', operator)
  expect(await ledger.json()).toMatchObject({
    gateway: 'GW-1',
    posted: [{ org: 'acme', meter: 'sensor.readings', subject: 'sensor:tilt-1/main', quantity: '21' }],
    readings: [{ stream: 'rd', batches: 5, readings: 20 }],
    quarantine: [],
  })
  const records = await (await api.raw('/v1/operator/records?gateway=GW-1', operator)).text()
  expect(records.trim().split('\n')).toHaveLength(3)
  expect((await api.raw('/v1/operator/ledger?gateway=..', operator)).status).toBe(400)
})

test('the operator adopts an epoch that nobody else can judge', async () => {
  const api = await servedApi()
  const E9 = epochOf('9')
  const announced = () =>
    api.ledger.announce(api.gateway, statusOf({ usage: { epoch: E9, parent: epochOf('8') } }))
  expect(await announced()).toMatchObject([{ epoch: E9, status: 'hold' }, { epoch: E1 }, { stream: 'rd' }])
  const adopt = (token: string) =>
    fetch(api.url('/v1/operator/adopt'), {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}` },
      body: JSON.stringify({ gateway: 'GW-1', stream: 'usage', epoch: E9 }),
    })
  expect((await adopt('wrong')).status).toBe(401)
  expect((await adopt('operator-token')).status).toBe(200)
  expect((await adopt('operator-token')).status).toBe(409)
  expect(await announced()).toMatchObject([{ epoch: E9, status: 'ok', upTo: 0 }, { stream: 'rd' }])
})

test('who tries keys waits, whatever they ask for', async () => {
  const api = await servedApi()
  const Authorization = `Basic ${Buffer.from('acme:ana:wrong').toString('base64')}`
  const paths = ['/v1/readings', '/v1/devices', '/v1/usage', '/v1/gateways', '/v1/organisations/acme/teams']
  const tries = Array.from({ length: 250 }, (_, index) => paths[index % paths.length] ?? '')
  const answers = await Promise.all(
    tries.map(async (path) => {
      const { status, headers } = await api.raw(path, { Authorization })
      return { path, status, waits: Number(headers.get('Retry-After')) > 0 }
    }),
  )
  expect(answers.filter(({ status }) => status !== 401 && status !== 429)).toEqual([])
  for (const path of paths) expect(answers).toContainEqual({ path, status: 429, waits: true })
})
