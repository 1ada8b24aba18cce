import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test, vi } from 'vitest'
import { openKeys } from '../../../cloud-sync/cloud/keys/index.ts'
import { shardOf } from '../../../cloud-sync/codec/index.ts'
import { upTopic } from '../../../cloud-sync/contract/index.ts'
import { harness } from '../../accept/cloud-kills.ts'
import { writeDirectory } from '../../support/cloud-fixture.ts'
import { linkGateway, spawnCloud, writeConfig } from '../../support/cloud-process.ts'
import { epochOf, fakeGateway, statusOf, usageBody, usageChain } from '../../support/fake-gateway.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

/** Several processes start one after another; on a busy machine each takes seconds. */
vi.setConfig({ testTimeout: 90_000 })

test('a cloud killed after the commit and before the acknowledgement has it, once', async () => {
  const folder = temporaryFolder()
  const data = join(folder, 'data')
  mkdirSync(data)
  const keys = openKeys(data)
  const gateway = fakeGateway('GW-1', keys.cloudId)
  const records = usageChain({ gateway: gateway.id, epoch: epochOf('1'), count: 3 })
  const message = gateway.sign('usage', usageBody(records))
  const file = join(folder, 'message.bin')
  writeFileSync(file, message)
  const script = fileURLToPath(import.meta.resolve('../../support/dies-after-commit.ts'))
  const topic = upTopic(shardOf(gateway.id), gateway.id, 'usage')
  const args = [script, data, topic, file, keys.cloudId, gateway.key.publicKey]
  expect(spawnSync(process.execPath, args, { stdio: 'inherit' }).signal).toBe('SIGKILL')

  const config = writeConfig(folder, writeDirectory(folder, [gateway]))
  const cloud = await spawnCloud(config, onTestFinished)
  const signer = keys.signing.publicKey
  const link = await linkGateway(gateway, { mqtt: cloud.mqtt, signer, defer: onTestFinished })
  const epoch = epochOf('1')
  await link.publish('status', Buffer.from(JSON.stringify(statusOf({ usage: { epoch, parent: null } }))))
  expect(await link.nextAck('usage')).toMatchObject({ upTo: 3, hash: records[2]?.hash, status: 'ok' })
  // The same bytes again, as a gateway without an acknowledgement sends them.
  await link.publish('usage', message)
  expect(await link.nextAck('usage')).toMatchObject({ upTo: 3, hash: records[2]?.hash, status: 'ok' })
  await cloud.end('SIGTERM')
})

test('a cloud killed at any moment ends with every batch once', async () => {
  const { failures } = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(failures).toEqual([])
})
