import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { headgateJson } from '../../support/cli.ts'
import { differences } from '../../support/cli-json.ts'
import { type LocalSite, localSite } from '../../support/local-site.ts'

let site: LocalSite
beforeAll(async () => {
  site = await localSite()
}, 60_000)
afterAll(() => site.end())

describe('the console', () => {
  test('lets in who has a key of a member, and nobody else, and tells neither which part was wrong', async () => {
    expect((await site.get('/v1/status', 'admin')).status).toBe(200)
    const refusals = [
      await site.get('/v1/status'),
      await site.getAs('/v1/status', 'home:admin', 'wrong'),
      await site.getAs('/v1/status', 'home:nobody', site.keys.admin),
      await site.getAs('/v1/status', 'other:admin', site.keys.admin),
    ]
    for (const { status, headers } of refusals) {
      expect(status).toBe(401)
      expect(headers.get('www-authenticate')).toContain('Basic')
      expect(headers.get('content-type')).toBe('application/problem+json')
    }
    const bodies = await Promise.all(refusals.slice(1).map((response) => response.text()))
    expect(new Set(bodies).size).toBe(1)
  })

  test('shows each member what they may see and not more', async () => {
    const seen = async (path: string, who: 'admin' | 'mia'): Promise<unknown> =>
      (await site.get(path, who)).json()
    expect(await seen('/v1/status', 'admin')).toMatchObject({ devices: [{ id: 'tilt-1' }] })
    expect(await seen('/v1/status', 'mia')).toMatchObject({ devices: [] })
    expect(await seen('/v1/members', 'admin')).toHaveLength(2)
    expect(await seen('/v1/members', 'mia')).toEqual([
      { organisation: 'home', name: 'mia', role: 'member', state: 'active' },
    ])
    expect((await site.get('/v1/usage', 'admin')).status).toBe(200)
    expect((await site.get('/v1/usage', 'mia')).status).toBe(403)
    expect((await site.get('/v1/who-can?right=data.read&thing=tilt-1', 'mia')).status).toBe(403)
    expect(await seen('/v1/why?right=data.read&thing=tilt-1', 'mia')).toMatchObject({
      allowed: false,
      paths: [],
    })
    expect(await seen('/v1/readings', 'mia').catch(() => '')).toBe('')
  })

  test('answers a page of another site nothing, whatever key the browser sends along', async () => {
    const response = await site.getAs('/v1/members', 'home:admin', site.keys.admin, {
      origin: 'https://evil.example',
    })
    expect(response.status).toBe(403)
    const own = await site.getAs('/v1/members', 'home:admin', site.keys.admin, { origin: site.url })
    expect(own.status).toBe(200)
  })

  test('takes a policy from any carrier, and only one that is signed for this gateway', async () => {
    const response = await fetch(`${site.url}/v1/policy`, { method: 'POST', body: 'no policy at all' })
    expect(response.status).toBe(409)
    expect(await response.json()).toMatchObject({ applied: false, because: 'malformed' })
    const large = await fetch(`${site.url}/v1/policy`, { method: 'POST', body: new Uint8Array(9_000_000) })
    expect(large.status).toBe(413)
    // One address may hold 16 connections.
    const seen: number[] = []
    for (let round = 0; round < 3; round += 1) {
      const ten = Array.from({ length: 10 }, () =>
        fetch(`${site.url}/v1/policy`, { method: 'POST', body: 'x' }),
      )
      for (const { status } of await Promise.all(ten)) seen.push(status)
    }
    expect(seen).toContain(429)
  })
})

describe('the commands', () => {
  test('tell who may do what as docs/cli-json.md says', async () => {
    const at = ['--config', site.config]
    const members = await headgateJson(['members', ...at])
    expect(members).toMatchObject({ code: 0 })
    expect(differences('headgate members', [members.json])).toEqual([])
    const who = await headgateJson(['who-can', 'data.read', 'tilt-1/main', ...at])
    expect(who.json).toEqual([{ organisation: 'home', name: 'admin', via: ['role:owner'] }])
    expect(differences('headgate who-can', [who.json])).toEqual([])
    const yes = await headgateJson(['why', 'home:admin', 'data.read', 'tilt-1', ...at])
    expect(yes).toMatchObject({ code: 0, json: { allowed: true } })
    const no = await headgateJson(['why', 'home:mia', 'data.read', 'tilt-1', ...at])
    expect(no).toMatchObject({ code: 1, json: { allowed: false, because: 'role' } })
    expect(differences('headgate why', [yes.json, no.json])).toEqual([])
  })

  test('in somebody’s name show what that one may see', async () => {
    const env = { HEADGATE_KEY: site.keys.mia }
    const seen = await headgateJson(['members', '--config', site.config, '--as', 'home:mia'], { env })
    expect(seen.json).toHaveLength(1)
    const wrong = await headgateJson(['members', '--config', site.config, '--as', 'home:mia'], {
      env: { HEADGATE_KEY: 'no' },
    })
    expect(wrong).toMatchObject({ code: 1, json: { error: { code: 'CONSOLE_UNAUTHORISED' } } })
    const called = await headgateJson(['who-can', 'data.read', 'a/b/c', '--config', site.config])
    expect(called).toMatchObject({ code: 1, json: { error: { code: 'CONSOLE_REQUEST_INVALID' } } })
  })
})

describe('changes on site', () => {
  test('are made in the name of a member, by the rules, and are in force with the answer', async () => {
    const env = { HEADGATE_KEY: site.keys.admin }
    const as = ['--config', site.config, '--as', 'home:admin']
    const may = async (): Promise<unknown> =>
      (await site.get('/v1/why?right=data.read&thing=tilt-1', 'mia')).json()
    expect(await may()).toMatchObject({ allowed: false })
    const shared = await headgateJson(['share', 'tilt-1', 'home:mia', ...as], { env })
    expect(shared).toMatchObject({ code: 0, json: { change: 'grant.add', by: 'home:admin' } })
    expect(differences('headgate share', [shared.json])).toEqual([])
    expect(await may()).toMatchObject({ allowed: true })
    const listed = await headgateJson(['shares', '--config', site.config])
    expect(differences('headgate shares', [listed.json])).toEqual([])
    const onward = await site.post('/v1/share', 'mia', { thing: 'tilt-1', to: 'home' })
    expect(onward.status).toBe(409)
    const revoked = await headgateJson(['revoke', 'tilt-1', 'home:mia', ...as], { env })
    expect(revoked.code).toBe(0)
    expect(await may()).toMatchObject({ allowed: false })
    expect((await headgateJson(['revoke', 'tilt-1', 'home:mia', ...as], { env })).code).toBe(1)
  })

  test('never take away the last owner, and take a blocked key at once', async () => {
    expect((await site.post('/v1/leave', 'admin', {})).status).toBe(409)
    expect((await site.post('/v1/remove', 'mia', { organisation: 'home', name: 'admin' })).status).toBe(409)
    expect((await site.get('/v1/members', 'mia')).status).toBe(200)
    const blocked = await site.post('/v1/block', 'admin', { organisation: 'home', name: 'mia' })
    expect(blocked.status).toBe(200)
    expect((await site.get('/v1/members', 'mia')).status).toBe(401)
  })

  test('by whoever runs the machine need a member’s key, and say so', async () => {
    const { code, json } = await headgateJson(['block', 'home:mia', '--config', site.config])
    expect(code).toBe(2)
    expect(json).toMatchObject({ error: { code: 'USAGE' } })
  })
})
