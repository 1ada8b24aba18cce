import { writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { openKeys } from '../../../cloud-sync/cloud/keys/index.ts'
import { readCloudConfig, startCloud } from '../../../cloud-sync/cloud/index.ts'
import { writeDirectory } from '../../support/cloud-fixture.ts'
import { linkGateway } from '../../support/cloud-process.ts'
import { epochOf, fakeGateway, readingChain, usageBody, usageChain } from '../../support/fake-gateway.ts'
import { freePort } from '../../support/free-port.ts'
import { mosquitto } from '../../support/mosquitto.ts'
import { testWith } from '../../support/peers.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { silent } from '../../support/test-ledger.ts'

/** Real processes: on a busy machine each takes seconds to start. */
vi.setConfig({ testTimeout: 90_000 })

function prepared(folder: string, port: number) {
  const keys = openKeys(join(folder, 'data'))
  const gateway = fakeGateway('GW-1', keys.cloudId)
  const directory = writeDirectory(folder, [gateway])
  const path = join(folder, 'cloud.yaml')
  const broker = `broker: {url: "mqtt://127.0.0.1:${port}"}`
  writeFileSync(path, `listen: {http: "127.0.0.1:0"}\n${broker}\ndataDir: data\ndirectory: ${directory}\n`)
  return { keys, gateway, config: readCloudConfig(path) }
}

testWith('mosquitto')(
  'the cloud works behind a broker of another make, and after that broker was restarted',
  async () => {
    const folder = temporaryFolder()
    const port = await freePort()
    let broker = await mosquitto(folder, port)
    const { keys, gateway, config } = prepared(folder, port)
    const stopping = new AbortController()
    const cloud = await startCloud(config, { log: silent, signal: stopping.signal })
    onTestFinished(() => cloud.stop())
    expect(cloud.mqtt).toEqual([])
    const mqtt = `mqtt://127.0.0.1:${port}`
    const signer = keys.signing.publicKey
    const first = await linkGateway(gateway, { mqtt, signer, defer: onTestFinished })
    const records = usageChain({ gateway: gateway.id, epoch: epochOf('1'), count: 4 })
    await first.publish('usage', gateway.sign('usage', usageBody(records.slice(0, 2))))
    expect(await first.nextAck('usage')).toMatchObject({ upTo: 2, status: 'ok' })

    const ended = once(broker, 'exit')
    broker.kill('SIGKILL')
    await ended
    await first.end()
    broker = await mosquitto(folder, port)
    const second = await linkGateway(gateway, { mqtt, signer, defer: onTestFinished })
    // The cloud comes back by itself; until then nobody answers, and the gateway sends again.
    const message = gateway.sign('usage', usageBody(records))
    while (second.acks.length === 0) {
      await second.publish('usage', message)
      await sleep(200)
    }
    expect(await second.nextAck('usage')).toMatchObject({ upTo: 4, hash: records[3]?.hash, status: 'ok' })
    const [batch] = readingChain({ gateway: gateway.id, epoch: epochOf('1'), count: 1 })
    await second.publish('rd', gateway.sign('rd', batch?.body ?? new Uint8Array()))
    expect(await second.nextAck('rd')).toMatchObject({ upTo: 1, status: 'ok' })
    await cloud.stop()
  },
)

test('a broker that is not there is named', async () => {
  const folder = temporaryFolder()
  const port = await freePort()
  const { config } = prepared(folder, port)
  const starting = startCloud(config, { log: silent, signal: new AbortController().signal })
  await expect(starting).rejects.toMatchObject({ code: 'CLOUD_BROKER_REFUSED' })
})
