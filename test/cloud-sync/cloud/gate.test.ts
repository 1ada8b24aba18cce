import { expect, test } from 'vitest'
import { type CloudPrincipal, cloudGate, INGEST_LOGIN } from '../../../cloud-sync/cloud/gate.ts'
import { SIGNED_HEAD_BYTES, signMessage, shardOf } from '../../../cloud-sync/codec/index.ts'
import { downFilter, downTopic, type GatewayId, upTopic } from '../../../cloud-sync/contract/index.ts'
import { type FakeGateway, fakeGateway } from '../../support/fake-gateway.ts'
import { CLOUD_ID } from '../../support/test-ledger.ts'

const one = fakeGateway('GW-1', CLOUD_ID)
const two = fakeGateway('GW-2', CLOUD_ID)
const gate = cloudGate({
  cloudId: CLOUD_ID,
  ingestSecret: 'secret',
  publicKeyOf: (id) => [one, two].find((gateway) => gateway.id === id)?.key.publicKey,
})
const ask = (clientId: string, username: string | null, password: string | null) =>
  gate.connect({
    clientId,
    username,
    password: password === null ? null : Buffer.from(password),
    remote: 'test',
    transport: 'tcp',
    certificate: null,
  })
const login = (by: FakeGateway, recipient: string, body: string, kind: 'login' | 'evt' = 'login'): string =>
  Buffer.from(signMessage({ kind, recipient, body: Buffer.from(body), key: by.key })).toString('base64')

test('a gateway comes in with its own signed login, the cloud with its secret', async () => {
  expect(await ask('GW-1', 'GW-1', one.password())).toEqual({
    allowed: true,
    principal: { id: 'gateway:GW-1', gateway: 'GW-1' },
  })
  expect(await ask(INGEST_LOGIN, INGEST_LOGIN, 'secret')).toMatchObject({ allowed: true })
})

const strangers: [string, string, string | null, string | null][] = [
  ['nobody', 'GW-1', null, null],
  ['no password', 'GW-1', 'GW-1', null],
  ['another client id than login', 'GW-2', 'GW-1', one.password()],
  ["another gateway's login", 'GW-1', 'GW-1', two.password()],
  ['a login that names another gateway', 'GW-1', 'GW-1', login(one, CLOUD_ID, 'GW-2')],
  ['a login to another cloud', 'GW-1', 'GW-1', login(one, 'fedcba9876543210', 'GW-1')],
  ['another signed message of the gateway', 'GW-1', 'GW-1', login(one, CLOUD_ID, 'GW-1', 'evt')],
  ['a gateway nobody registered', 'GW-3', 'GW-3', fakeGateway('GW-3', CLOUD_ID).password()],
  ['rubbish', 'GW-1', 'GW-1', 'x'],
  ['a password beyond all measure', 'GW-1', 'GW-1', 'A'.repeat(100_000)],
  ['a guess at the secret', INGEST_LOGIN, INGEST_LOGIN, 'secre7'],
  ['an empty secret', INGEST_LOGIN, INGEST_LOGIN, ''],
]
test.for(strangers)('%s stays outside', async ([, clientId, username, password]) => {
  expect(await ask(clientId, username, password)).toEqual({ allowed: false, because: 'bad-credentials' })
})

const gw1: CloudPrincipal = { id: 'gateway:GW-1', gateway: 'GW-1' as GatewayId }
const cloud: CloudPrincipal = { id: 'cloud', gateway: null }
const shard = shardOf(one.id)
const up = upTopic(shard, one.id, 'usage')
const down = downTopic(shard, one.id, 'ack/usage')
const otherUp = upTopic(shardOf(two.id), two.id, 'usage')
const otherDown = downTopic(shardOf(two.id), two.id, 'ack/usage')

test('a gateway writes its own up/ and reads its own dn/, and the cloud the other way round', () => {
  const publish = (who: CloudPrincipal, topic: string) =>
    gate.mayPublish(who, { topic, retain: false, qos: 1, payloadBytes: 1 })
  expect([up, down, otherUp, otherDown, 'x', `hg1/00/GW-1/up/usage`].map((t) => publish(gw1, t))).toEqual([
    'allow',
    ...Array.from({ length: 5 }, () => 'quarantine'),
  ])
  expect([down, otherDown, up, 'x'].map((t) => publish(cloud, t))).toEqual([
    'allow',
    'allow',
    'quarantine',
    'quarantine',
  ])
  const filters = [
    downFilter(shard, one.id),
    down,
    downFilter(shardOf(two.id), two.id),
    'hg1/+/+/dn/#',
    '#',
    up,
  ]
  expect(filters.map((filter) => gate.maySubscribe(gw1, filter))).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
  ])
  expect([down, otherDown, up].map((topic) => gate.mayReceive(gw1, topic))).toEqual([true, false, false])
  expect(gate.maySubscribe(cloud, 'hg1/+/+/up/#') && gate.mayReceive(cloud, up)).toBe(true)
})

const status = upTopic(shard, one.id, 'status')
const writes: [string, 'allow' | 'quarantine', string, { retain?: boolean; payloadBytes?: number }][] = [
  ['a retained status', 'allow', status, { retain: true }],
  ['a retained batch', 'quarantine', up, { retain: true }],
  ['a topic of its own making', 'quarantine', `${up}/more`, {}],
  ['a retained topic of its own making', 'quarantine', `${status}/1`, { retain: true }],
  ['the largest message of the link', 'allow', up, { payloadBytes: 60 * 1024 + SIGNED_HEAD_BYTES }],
  ['one byte more', 'quarantine', up, { payloadBytes: 60 * 1024 + SIGNED_HEAD_BYTES + 1 }],
]
test.for(writes)('what the broker keeps belongs to all gateways: %s', ([, answer, topic, how]) => {
  expect(gate.mayPublish(gw1, { topic, retain: false, qos: 1, payloadBytes: 1, ...how })).toBe(answer)
})
