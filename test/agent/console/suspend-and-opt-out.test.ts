import { afterAll, beforeAll, expect, test } from 'vitest'
import { headgateJson } from '../../support/cli.ts'
import { differences } from '../../support/cli-json.ts'
import { type LocalSite, localSite } from '../../support/local-site.ts'

const START_MS_MAX = 120_000
const CASE_MS_MAX = 120_000

let site: LocalSite
beforeAll(async () => {
  site = await localSite()
}, START_MS_MAX)
afterAll(() => site.end())

const by = (who: 'admin' | 'mia') => ({
  as: ['--config', site.config, '--as', `home:${who}`],
  env: { HEADGATE_KEY: site.keys[who] },
})
const run = (who: 'admin' | 'mia', args: readonly string[]) => {
  const { as, env } = by(who)
  return headgateJson([...args, ...as], { env })
}
const refused = async (response: Response): Promise<unknown> => [
  response.status,
  ((await response.json()) as { code: unknown }).code,
]

test('a member opts out of alerts about what they may see, for themselves', {
  timeout: CASE_MS_MAX,
}, async () => {
  const gateway = await run('admin', ['opt-out', 'gateway'])
  expect(gateway).toMatchObject({
    code: 0,
    json: { change: 'alert.opt-out', by: 'home:admin', expiresAt: null },
  })
  expect(differences('headgate opt-out', [gateway.json])).toEqual([])
  const device = await site.post('/v1/opt-out', 'admin', { thing: 'tilt-1', alert: 'low-battery' })
  expect(device.status).toBe(200)
  const { number } = gateway.json as { number: number }
  expect(await device.json()).toMatchObject({ change: 'alert.opt-out', number: number + 1 })
})

const bodies: [string, 'admin' | 'mia', object, [number, string]][] = [
  ['a device that one may not see', 'mia', { thing: 'tilt-1', alert: 'all' }, [409, 'CHANGE_REFUSED']],
  ['a sensor', 'admin', { thing: 'tilt-1/main', alert: 'all' }, [409, 'CHANGE_REFUSED']],
  ['an organisation', 'admin', { thing: 'org:home', alert: 'all' }, [400, 'CONSOLE_REQUEST_INVALID']],
  [
    'an alert that is none',
    'admin',
    { thing: 'gateway', alert: 'threshold' },
    [400, 'CONSOLE_REQUEST_INVALID'],
  ],
  ['nothing', 'admin', {}, [400, 'CONSOLE_REQUEST_INVALID']],
]
test.for(bodies)('opting out of %s is refused', async ([, who, body, expected]) => {
  expect(await refused(await site.post('/v1/opt-out', who, body))).toEqual(expected)
})

test('a suspended member is let in nowhere, at once and after a restart, and suspends nobody before', {
  timeout: CASE_MS_MAX,
}, async () => {
  const admin = { organisation: 'home', name: 'admin' }
  expect(await refused(await site.post('/v1/suspend', 'mia', admin))).toEqual([409, 'CHANGE_REFUSED'])
  expect(await refused(await site.post('/v1/suspend', 'admin', admin))).toEqual([409, 'CHANGE_REFUSED'])
  expect((await site.post('/v1/suspend', 'admin', { organisation: 'home' })).status).toBe(400)
  expect((await site.get('/v1/members', 'mia')).status).toBe(200)

  const suspended = await run('admin', ['suspend', 'home:mia'])
  expect(suspended).toMatchObject({ code: 0, json: { change: 'member.suspend', by: 'home:admin' } })
  expect(differences('headgate suspend', [suspended.json])).toEqual([])
  expect((await site.get('/v1/members', 'mia')).status).toBe(401)
  expect((await run('mia', ['leave'])).code).not.toBe(0)
  expect(await (await site.get('/v1/members', 'admin')).json()).toContainEqual(
    expect.objectContaining({ name: 'mia', state: 'suspended' }),
  )
  await site.restart('SIGKILL')
  expect((await site.get('/v1/members', 'mia')).status).toBe(401)
  expect((await site.get('/v1/members', 'admin')).status).toBe(200)
})
