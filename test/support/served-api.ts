import { onTestFinished } from 'vitest'
import { createApp } from '../../cloud-sync/cloud/api/index.ts'
import { evidenceForOrganisations, evidenceOf } from '../../cloud-sync/cloud/evidence.ts'
import { serveHttp } from '../../cloud-sync/cloud/serve.ts'
import { testDesk } from './billing-desk.ts'
import { KEYS } from './cloud-fixture.ts'
import {
  epochOf,
  type FakeGateway,
  fakeGateway,
  readingChain,
  usageBody,
  usageChain,
} from './fake-gateway.ts'
import { type SeededCloud, seededCloud } from './seeded-cloud.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { CLOUD_ID, silent, type TestLedger, testLedger } from './test-ledger.ts'

export const E1 = epochOf('1')
export type Login = keyof typeof KEYS

/** The HTTP API over a ledger with the readings and usage of one gateway; a stranger's gateway says that its own are acme's. */
export interface ServedApi {
  readonly ledger: TestLedger
  readonly gateway: FakeGateway
  readonly cloud: SeededCloud
  /** Asks as this login; the body and the status. */
  get(login: Login, path: string): Promise<{ status: number; body: Record<string, unknown> }>
  /** Writes, and waits until policies have it. */
  write(login: Login, call: string, body?: object): Promise<{ status: number; text: string }>
  /** Shows acme's tilt to borealis; the grant. */
  shareTilt(): Promise<string>
  url(path: string): string
  raw(path: string, headers?: Record<string, string>): Promise<Response>
}

export async function servedApi(): Promise<ServedApi> {
  const gateway = fakeGateway('GW-1', CLOUD_ID)
  const stranger = fakeGateway('GW-2', CLOUD_ID)
  const ledger = await testLedger(gateway, stranger)
  const cloud = await seededCloud(temporaryFolder(), { gateways: [gateway] })
  onTestFinished(() => cloud.close())
  const { publicKey } = stranger.key
  await cloud.change({ kind: 'gateway.registered', id: stranger.id, org: 'cobalt', publicKey })
  let ids = 0
  const parts = evidenceOf({ db: ledger.db, read: cloud.directory.store.read, cloudId: cloud.keys.cloudId })
  const evidence = { ...parts, keys: cloud.keys, log: silent }
  const billing = await testDesk(cloud.directory, {
    db: ledger.db,
    evidence: evidenceForOrganisations(evidence),
  })
  const app = createApp({
    db: ledger.db,
    directory: cloud.directory,
    billing,
    policies: cloud.policies,
    log: silent,
    trust: '',
    newId: () => `share-${(ids += 1)}`,
    operator: {
      token: 'operator-token',
      now: () => 1,
      counts: () => ({}),
      evidence,
      verifyLog: () => Promise.reject(new Error('not here')),
      say: () => undefined,
    },
  })
  const http = await serveHttp(app, '127.0.0.1:0')
  onTestFinished(() => http.stop())
  for (const { body } of readingChain({ gateway: gateway.id, epoch: E1, count: 5 }))
    await ledger.deliver(gateway, 'rd', body)
  await ledger.deliver(gateway, 'usage', usageBody(usageChain({ gateway: gateway.id, epoch: E1, count: 3 })))
  // Cobalt's gateway claims that its own readings and usage are acme's.
  for (const { body } of readingChain({ gateway: stranger.id, epoch: E1, count: 2 }))
    await ledger.deliver(stranger, 'rd', body)
  await ledger.deliver(
    stranger,
    'usage',
    usageBody(usageChain({ gateway: stranger.id, epoch: E1, count: 3 })),
  )
  const headers = (login: Login) => ({
    Authorization: `Basic ${Buffer.from(`${login}:${KEYS[login]}`).toString('base64')}`,
  })
  const write: ServedApi['write'] = async (login, call, body) => {
    const [method = '', path = ''] = call.split(' ')
    const response = await fetch(`${http.url}/v1/organisations/${path}`, {
      method,
      headers: {
        ...headers(login),
        'Idempotency-Key': `key-${(ids += 1)}`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    await cloud.policies.caughtUp()
    return { status: response.status, text }
  }
  return {
    ledger,
    gateway,
    cloud,
    async get(login, where) {
      const response = await fetch(`${http.url}${where}`, { headers: headers(login) })
      return { status: response.status, body: (await response.json()) as Record<string, unknown> }
    },
    write,
    async shareTilt() {
      await write('borealis:bea', 'PUT borealis/visibility', { visibility: 'public' })
      await write('acme:ana', 'POST acme/sharing-policies', { name: 'Borealis' })
      const made = await write('acme:ana', 'POST acme/shares', { thing: TILT, to: toOrg('borealis') })
      return (JSON.parse(made.text) as { grant: string }).grant
    },
    url: (where) => `${http.url}${where}`,
    raw: (where, extra = {}) => fetch(`${http.url}${where}`, { headers: extra }),
  }
}

export const TILT = { kind: 'device', resource: 'GW-1/tilt-1' }
export const toOrg = (org: string) => ({ kind: 'org', org })
