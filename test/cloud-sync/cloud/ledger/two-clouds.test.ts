import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, vi } from 'vitest'
import { readCloudConfig, startCloud } from '../../../../cloud-sync/cloud/index.ts'
import { openKeys } from '../../../../cloud-sync/cloud/keys/index.ts'
import { verifyGateway } from '../../../../cloud-sync/cloud/ledger/index.ts'
import { openLedger, postedTotals } from '../../../../cloud-sync/cloud/storage/index.ts'
import { shardOf } from '../../../../cloud-sync/codec/index.ts'
import { headgateJson } from '../../../support/cli.ts'
import { writeDirectory } from '../../../support/cloud-fixture.ts'
import { linkGateway } from '../../../support/cloud-process.ts'
import { epochOf, fakeGateway, readingChain, usageBody, usageChain } from '../../../support/fake-gateway.ts'
import { freePort } from '../../../support/free-port.ts'
import { mosquitto } from '../../../support/mosquitto.ts'
import { havePeer, testWith } from '../../../support/peers.ts'
import { type PostgresCluster, startPostgres } from '../../../support/postgres.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'
import { silent } from '../../../support/test-ledger.ts'

vi.setConfig({ testTimeout: 90_000 })

let cluster: PostgresCluster | undefined
beforeAll(async () => {
  if (havePeer('postgresql')) cluster = await startPostgres()
}, 60_000)
afterAll(() => cluster?.stop(), 30_000)

const shards = [
  ['that both hear every gateway', () => '', () => ''],
  ['that divide the shards', (own: string) => own, () => 'ff'],
] as const

testWith('mosquitto', 'postgresql').for(shards)(
  'two clouds %s post once behind a broker of another make',
  async ([, ofOne, ofOther], { task }) => {
    const folder = temporaryFolder()
    const port = await freePort()
    await mosquitto(folder, port)
    const keys = openKeys(join(folder, 'data'))
    const gateway = fakeGateway('GW-1', keys.cloudId)
    const directory = writeDirectory(folder, [gateway])
    const schema = `l${task.id.replaceAll(/\W/g, '')}`
    const database = cluster?.database(schema) ?? ''
    const configured = (name: string, shard: string) => {
      const path = join(folder, `${name}.yaml`)
      const parts = [
        'listen: {http: "127.0.0.1:0"}',
        `broker: {url: "mqtt://127.0.0.1:${port}"}`,
        `dataDir: data\ndirectory: ${directory}\ndatabase: "${database}"`,
        ...(shard === '' ? [] : [`shards: ["${shard}"]`]),
      ]
      writeFileSync(path, `${parts.join('\n')}\n`)
      return readCloudConfig(path)
    }
    const signal = new AbortController().signal
    const configs = [configured('one', ofOne(shardOf(gateway.id))), configured('other', ofOther())]
    let http = ''
    for (const config of configs) {
      const cloud = await startCloud(config, { log: silent, signal })
      onTestFinished(() => cloud.stop())
      http = cloud.http
    }
    const mqtt = `mqtt://127.0.0.1:${port}`
    const link = await linkGateway(gateway, { mqtt, signer: keys.signing.publicKey, defer: onTestFinished })
    const records = usageChain({ gateway: gateway.id, epoch: epochOf('1'), count: 20 })
    const batches = readingChain({ gateway: gateway.id, epoch: epochOf('1'), count: 3 })
    for (let n = 0; n < 20; n += 1) {
      await link.publish('usage', gateway.sign('usage', usageBody(records.slice(n, n + 1))))
    }
    for (const { body } of batches) await link.publish('rd', gateway.sign('rd', body))
    await expect.poll(() => link.acks.some(({ ack }) => ack.upTo === 20), { timeout: 60_000 }).toBe(true)
    await expect
      .poll(() => link.acks.some(({ stream, ack }) => stream === 'rd' && ack.upTo === 3), { timeout: 60_000 })
      .toBe(true)
    expect(new Set(link.acks.map(({ ack }) => ack.status))).toEqual(new Set(['ok']))
    const db = await openLedger({ dialect: 'postgres', url: database })
    onTestFinished(() => db.close())
    expect(await postedTotals(db.read, gateway.id)).toMatchObject([{ quantity: 140n }])
    expect(await verifyGateway(db.read, gateway.id)).toMatchObject({
      ok: true,
      records: 20,
      batches: 3,
      readings: 12,
    })
    const token = join(folder, 'data', 'operator.token')
    const live = ['ledger', 'verify', '--live', gateway.id, '--url', http, '--token-file', token]
    expect(await headgateJson(live)).toMatchObject({ code: 0, json: { ok: true, records: 20, readings: 12 } })
    await cluster?.empty(schema, ['usage_posting'])
    const faults = [{ stream: 'usage', seq: 1, because: 'posting' }]
    expect(await headgateJson(live)).toMatchObject({ code: 1, json: { ok: false, faults } })
  },
)
