import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { clientAddress, parseNetwork } from '../../../../cloud-sync/cloud/api/client-address.ts'
import { OPERATOR_TOKEN, serveDirectory } from '../../../support/directory-api.ts'

const PROXIES = ['127.0.0.1', '10.0.0.0/8', '2001:db8::/32']

async function seen(peer: string, forwarded?: string): Promise<{ address: string; local: boolean }> {
  const address = clientAddress(PROXIES)
  const app = new Hono()
  app.get('/', (c) => c.json({ address: address.of(c), local: address.isLocal(c) }))
  const incoming = { socket: { remoteAddress: peer } }
  const headers = forwarded === undefined ? {} : { 'X-Forwarded-For': forwarded }
  return (await app.request('/', { headers }, { incoming })).json() as Promise<{
    address: string
    local: boolean
  }>
}

test.for([
  ['nobody between', '198.51.100.7', undefined, '198.51.100.7', false],
  ['a stranger who says to be somebody', '198.51.100.7', '203.0.113.9', '198.51.100.7', false],
  ['a stranger who says to be here', '198.51.100.7', '127.0.0.1', '198.51.100.7', false],
  ['a proxy', '10.1.2.3', '203.0.113.9', '203.0.113.9', false],
  ['a proxy on an IPv6 socket', '::ffff:10.1.2.3', '203.0.113.9', '203.0.113.9', false],
  ['two proxies', '10.1.2.3', '203.0.113.9, 10.9.9.9', '203.0.113.9', false],
  ['what the caller had put there itself', '10.1.2.3', '127.0.0.1, 203.0.113.9', '203.0.113.9', false],
  ['an IPv6 proxy', '2001:db8::1', '2001:67c::9', '2001:67c::9', false],
  ['a proxy that says nothing', '10.1.2.3', undefined, '10.1.2.3', false],
  ['nonsense after a proxy', '10.1.2.3', 'unknown', '10.1.2.3', false],
  ['a header beyond all measure', '10.1.2.3', `${'1.1.1.1,'.repeat(500)}203.0.113.9`, '10.1.2.3', false],
  ['this machine', '127.0.0.1', undefined, '127.0.0.1', true],
  ['this machine by IPv6', '::1', undefined, '::1', true],
  ['a proxy on this machine', '127.0.0.1', '203.0.113.9', '203.0.113.9', false],
  ['a proxy on this machine that nobody named', '::1', '203.0.113.9', '::1', false],
] as const)('%s', async ([, peer, forwarded, address, local]) => {
  expect(await seen(peer, forwarded)).toEqual({ address, local })
})

test.for(['', 'proxy', '10.0.0.0/33', '10.0.0.0/x', '10.0.0.0/8/8', '::1/129', '10.0.0'])(
  '%j is no network',
  (text) => {
    expect(parseNetwork(text)).toBeUndefined()
  },
)

test('limits and the audit count by the address that a trusted proxy tells, and by no other', async () => {
  const body = { login: 'nobody', password: 'wrong-password' }
  const statusesOf = async (proxies: readonly string[]) => {
    const api = await serveDirectory(undefined, proxies)
    const from = async (address: string) =>
      (await api.ask(undefined, '/v1/me', { headers: { 'X-Forwarded-For': address } })).status
    for (let n = 0; n < 60; n += 1) await from('203.0.113.1')
    return [await from('203.0.113.1'), await from('203.0.113.2')]
  }
  expect(await statusesOf(['127.0.0.1'])).toEqual([429, 401])
  expect(await statusesOf([])).toEqual([429, 429])
  const api = await serveDirectory(undefined, ['127.0.0.1'])
  const headers = { 'X-Forwarded-For': '203.0.113.5' }
  await api.ask(undefined, '/v1/sessions', { method: 'POST', body, headers })
  const account = { username: 'ana', email: 'ana@example.org', password: 'correct horse', name: 'Ana' }
  await api.ask(undefined, '/v1/users', { method: 'POST', body: account, headers })
  const lines = await api.directory.store.read.find('audit', { what: 'user.sign-up' })
  expect(lines.map(({ actor }) => actor)).toEqual(['203.0.113.5'])
  // The operator's surface is not there for who comes through a proxy, token or not.
  const operator = (more: object) =>
    api.ask(OPERATOR_TOKEN, '/v1/operator/operators', { headers: { ...more } })
  expect([(await operator({})).status, (await operator(headers)).status]).toEqual([200, 404])
})
