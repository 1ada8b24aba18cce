import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { askGateway } from '../../../agent/local-api/client.ts'
import type { GatewayId } from '../../../cloud-sync/contract/index.ts'
import { PolicySite } from '../../support/policy-site.ts'

const CASE_MS_MAX = 120_000
const TOPIC = 'headgate/GW-000123/tilt-1/in'
const QUIET_MS = 300
/** How long after the file with the policy is handed over the gateway is killed, ms: before, at and after its commit. */
const KILLS_MS = [2, 10]

test('edge case 12: a gateway that is killed while a policy comes into force gives nothing afterwards that it takes away', {
  timeout: CASE_MS_MAX,
}, async () => {
  const site = new PolicySite()
  await site.start()
  let version = 1
  const put = (change: object = {}): Promise<string> => {
    version += 1
    return site.apply(site.signer.whole(site.policy(version, change)))
  }
  const give = (bytes: Uint8Array): Promise<unknown> =>
    askGateway(join(site.folder, 'data'), '/v1/policy', { body: bytes })
  const stored = { clean: false, clientId: 'beas-logger' } as const
  for (const [round, killMs] of KILLS_MS.entries()) {
    expect(await put()).toBe('applied')
    const logger = await site.client('bea', stored)
    await logger.subscribeAsync('#', { qos: 1 })
    await logger.endAsync(true)
    const ana = await site.client('ana')
    await ana.publishAsync(TOPIC, `queued ${round}`, { qos: 1 })
    // Taken away: the file is handed over by this process, and the other one dies in the middle of it.
    version += 1
    const bytes = site.signer.whole(site.policy(version, { grants: [], policies: [] }))
    const given = give(bytes).catch(() => undefined)
    await sleep(killMs)
    await site.stop('SIGKILL')
    await given
    await site.start()
    await give(bytes).catch(() => undefined)
    expect(await site.show()).toMatchObject({ version })
    const heard: string[] = []
    const back = await site.client('bea', stored)
    back.on('message', (_topic, payload) => heard.push(payload.toString()))
    const owner = await site.client('ana')
    await owner.publishAsync(TOPIC, `later ${round}`, { qos: 1, retain: true })
    await sleep(QUIET_MS)
    expect(heard).toEqual([])
    await back.endAsync(true)
  }
  // Not for here, or with one bit turned: refused, and what is in force stays so.
  const next = site.signer.whole(site.policy(version + 1))
  const turned = Uint8Array.from(next)
  turned[turned.length >> 1] = (turned[turned.length >> 1] ?? 0) ^ 1
  expect(await site.apply(turned)).not.toBe('applied')
  const elsewhere = { ...site.policy(version + 1), gateway: 'GW-OTHER' as GatewayId }
  expect(await site.apply(site.signer.whole(elsewhere))).toBe('other-gateway')
  expect(await site.show()).toMatchObject({ version })
  expect(await site.apply(next)).toBe('applied')
  await site.stop()
})
