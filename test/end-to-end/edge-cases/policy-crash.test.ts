import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import mqtt from 'mqtt'
import { expect, test } from 'vitest'
import { askGateway } from '../../../agent/local-api/client.ts'
import type { GatewayId } from '../../../cloud-sync/contract/index.ts'
import { PolicySite } from '../../support/policy-site.ts'

const CASE_MS_MAX = 120_000
const TOPIC = 'headgate/GW-000123/tilt-1/in'
const QUIET_MS = 300
const KICK = join(import.meta.dirname, '../../support/dies-at-kick-child.ts')
/** How long after the file with the policy is handed over the gateway is killed, ms: before, at and after its commit. */
const KILLS_MS = [2, 10]

test('edge case 12: a gateway that is killed while a policy comes into force gives nothing afterwards that it takes away', {
  timeout: CASE_MS_MAX,
}, async () => {
  const site = new PolicySite()
  await site.start()
  let version = 1
  const give = (bytes: Uint8Array): Promise<unknown> =>
    askGateway(join(site.folder, 'data'), '/v1/policy', { body: bytes })
  const put = (change: object = {}): Promise<unknown> => {
    version += 1
    return give(site.signer.whole(site.policy(version, change)))
  }
  const inForce = (): Promise<unknown> => askGateway(join(site.folder, 'data'), '/v1/policy')
  const stored = { clean: false, clientId: 'beas-logger' } as const
  for (const [round, killMs] of KILLS_MS.entries()) {
    expect(await put()).toMatchObject({ applied: true })
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
    expect(await inForce()).toMatchObject({ version })
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
  expect(await give(turned)).toMatchObject({ applied: false })
  const elsewhere = { ...site.policy(version + 1), gateway: 'GW-OTHER' as GatewayId }
  expect(await give(site.signer.whole(elsewhere))).toMatchObject({ because: 'other-gateway' })
  expect(await inForce()).toMatchObject({ version })
  expect(await give(next)).toMatchObject({ applied: true })
  await site.stop()
})

test('edge case 12: a gateway killed exactly between a policy on its disk and the sessions that it ends has ended them when it is back', {
  timeout: CASE_MS_MAX,
}, async () => {
  const site = new PolicySite()
  const armed = join(site.folder, 'armed')
  const env = { NODE_OPTIONS: `--import=${KICK}`, DIES_AT_KICK: armed }
  await site.start(env)
  let version = 0
  const socket = (path: string, body?: Uint8Array): Promise<unknown> =>
    askGateway(join(site.folder, 'data'), path, body === undefined ? {} : { body })
  const put = async (change: object = {}): Promise<unknown> => {
    version += 1
    return socket('/v1/policy', site.signer.whole(site.policy(version, change)))
  }
  /** Puts a policy in force, and is dead before it has ended anything by it. */
  const dies = async (change: object): Promise<void> => {
    writeFileSync(armed, '')
    await expect(put(change)).rejects.toThrow()
    rmSync(armed)
    await site.start(env)
    // It is in force: the kill came after its commit.
    expect(await socket('/v1/policy')).toMatchObject({ version })
  }
  const stored = { clean: false, clientId: 'beas-logger' } as const
  const leaves = async (text: string): Promise<void> => {
    const logger = await site.client('bea', stored)
    await logger.subscribeAsync('#', { qos: 1 })
    await logger.endAsync(true)
    const ana = await site.client('ana')
    await ana.publishAsync(TOPIC, text, { qos: 1, retain: true })
    await ana.endAsync(true)
  }
  /** What comes to the session of bea's logger, and what is retained for her. */
  const comesBack = async (): Promise<string[]> => {
    const heard: string[] = []
    const [url] = site.gateway?.ready['broker'] as string[]
    const { login: username, key: password } = site.login('bea')
    // Heard from the first packet on: what waits comes right behind the CONNACK.
    const back = mqtt.connect(url ?? '', { username, password, reconnectPeriod: 0, ...stored })
    back.on('message', (_topic, payload) => heard.push(payload.toString()))
    const isPresent = await new Promise<boolean>((resolve) =>
      back.once('connect', ({ sessionPresent }) => {
        resolve(sessionPresent)
      }),
    )
    if (isPresent) heard.push('the session')
    await back.subscribeAsync('#', { qos: 1 })
    await sleep(QUIET_MS)
    await back.endAsync(true)
    return heard
  }

  expect(await put()).toMatchObject({ applied: true })
  await leaves('before it was taken away')
  await dies({ grants: [], policies: [] })
  // Shown again before her logger comes back: what waited went with the share.
  expect(await put()).toMatchObject({ applied: true })
  expect(await comesBack()).toEqual(['before it was taken away'])

  // Given to another owner: the values that the one before left behind are not theirs.
  await leaves('of the owner before')
  const given = { devices: [{ id: 'tilt-1', org: 'borealis', ownerEpoch: 2 }], grants: [], policies: [] }
  await dies(given)
  expect(await comesBack()).toEqual([])

  // Whose key was gone for a while is another, although the key is the same again.
  expect(await put()).toMatchObject({ applied: true })
  await leaves('before the suspension')
  await dies({ members: [], keys: [] })
  expect(await put()).toMatchObject({ applied: true })
  expect(await comesBack()).toEqual(['before the suspension'])
})
