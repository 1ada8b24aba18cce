import { expect, test } from 'vitest'
import { type Login, servedApi, TILT, toOrg } from '../../../support/served-api.ts'

const devicesIn = (body: Record<string, unknown>): string[] => {
  const list = (body['readings'] ?? []) as { gateway: string; device: string }[]
  return [...new Set(list.map(({ gateway, device }) => `${gateway}/${device}`))]
}

test('a share shows one device until it is revoked', async () => {
  const api = await servedApi()
  const seen = async (login: Login) => devicesIn((await api.get(login, '/v1/readings')).body)
  const grant = await api.shareTilt()
  expect(await seen('borealis:bea')).toEqual(['GW-1/tilt-1', 'GW-1/level-1'])
  expect(await seen('cobalt:cid')).toEqual([])
  expect((await api.get('borealis:bea', '/v1/devices')).body).toEqual({
    devices: [
      { gateway: 'GW-1', id: 'level-1', organisation: 'borealis', custodian: null, workspace: null },
      { gateway: 'GW-1', id: 'tilt-1', organisation: 'acme' },
    ],
  })
  const share = { grant, from: 'acme', device: 'tilt-1', sensor: null, level: 'viewer' }
  const listed = (login: Login, org: string) => api.get(login, `/v1/organisations/${org}/device-shares`)
  expect((await listed('acme:ana', 'acme')).body).toMatchObject({ items: [{ ...share, direction: 'given' }] })
  expect((await listed('borealis:bea', 'borealis')).body).toMatchObject({
    items: [{ ...share, direction: 'received', to: { org: 'borealis', member: null } }],
  })
  expect((await listed('cobalt:cid', 'acme')).status).toBe(404)
  expect((await api.write('cobalt:cid', `DELETE acme/shares/${grant}`)).status).toBe(404)
  expect((await api.write('borealis:bea', `DELETE acme/shares/${grant}`)).status).toBe(403)
  expect((await api.write('acme:bob', `DELETE acme/shares/${grant}`)).status).toBe(403)
  expect((await api.write('acme:ana', `DELETE acme/shares/${grant}`)).status).toBe(204)
  expect(await seen('borealis:bea')).toEqual(['GW-1/level-1'])
})

const level = { kind: 'device', resource: 'GW-1/level-1' }
const none = { kind: 'device', resource: 'GW-1/none' }
const refusedShares: [string, Login, object, number][] = [
  ["of another organisation's device", 'acme:ana', { thing: level, to: toOrg('cobalt') }, 404],
  ['of a device that is not there', 'acme:ana', { thing: none, to: toOrg('cobalt') }, 404],
  ['with nobody', 'acme:ana', { thing: TILT, to: toOrg('nobody') }, 403],
  ['with whom no policy leads to', 'acme:ana', { thing: TILT, to: toOrg('cobalt') }, 403],
  ['by a plain member', 'acme:bob', { thing: TILT, to: toOrg('cobalt') }, 403],
  ['without a device', 'acme:ana', { to: toOrg('cobalt') }, 400],
  ['with a level nobody knows', 'acme:ana', { thing: TILT, to: toOrg('cobalt'), level: 'god' }, 400],
]
test('shares that must not be made are refused', async () => {
  const api = await servedApi()
  for (const [what, login, body, status] of refusedShares)
    expect((await api.write(login, 'POST acme/shares', body)).status, what).toBe(status)
  expect(api.cloud.policies.policyOf(api.gateway.id)?.grants).toEqual([])
})

test('a private organisation is answered in every byte like one that does not exist', async () => {
  const api = await servedApi()
  const answers = async (org: string, name: string) => {
    const person = { kind: 'user', user: 'cid', org }
    const calls: [string, object][] = [
      ['POST acme/shares', { thing: TILT, to: toOrg(org) }],
      ['POST acme/shares', { thing: TILT, to: person }],
      ['POST acme/shares', { thing: TILT, to: { kind: 'team', handle: 'night', org } }],
      ['POST acme/sharing-policies', { name }],
      ['POST acme/sharing-policies', { name, to: org }],
      [`DELETE acme/sharing-policies/${org}`, {}],
    ]
    const given: string[] = []
    for (const [call, body] of calls) {
      const { status, text } = await api.write('acme:ana', call, call.startsWith('DELETE') ? undefined : body)
      given.push(`${call.split(' ')[0] ?? ''} ${status} ${text}`)
    }
    const seen = await api.get('acme:ana', `/v1/organisations/${org}`)
    return [...given, JSON.stringify(seen)]
  }
  expect(await answers('cobalt', 'Cobalt')).toEqual(await answers('absent', 'Absent'))
})

test('the address that made policies towards private organisations is gone', async () => {
  const api = await servedApi()
  expect((await api.raw('/v1/shares', {})).status).toBe(404)
})
