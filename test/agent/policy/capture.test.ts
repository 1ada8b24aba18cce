import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { stringify } from 'yaml'
import { demoDevices, simulatedField } from '../../../agent/cli/demo/field.ts'
import { askGateway } from '../../../agent/local-api/client.ts'
import type { GatewayState, UsageFacts } from '../../../agent/local-api/state.ts'
import { PolicySnapshot } from '../../../cloud-sync/contract/index.ts'
import { startHeadgate } from '../../support/cli.ts'
import { until } from '../../support/edge-site.ts'
import { freePort } from '../../support/free-port.ts'
import { PolicySigner } from '../../support/policy-signer.ts'

const HOUR = 3_600_000
const signer = new PolicySigner()
const ISSUED = Date.UTC(2026, 10, 22)

function policy(version: number, change: object = {}): PolicySnapshot {
  const issuedAt = ISSUED + version * HOUR
  return PolicySnapshot.parse({
    v: 2,
    gateway: 'GW-000123',
    generation: signer.generation,
    version,
    issuedAt,
    freshUntil: issuedAt + HOUR,
    hardUntil: issuedAt + 2 * HOUR,
    owner: { org: 'acme', ownerEpoch: 1 },
    organisations: [{ id: 'acme', name: 'Acme' }],
    members: [],
    keys: [],
    devices: [],
    policies: [],
    grants: [],
    critical: [],
    ...change,
  })
}

test('taking and counting go on without a policy, with one that has expired, disputed, decommissioned or refused', {
  timeout: 240_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-capture-'))
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  const devices = demoDevices({ address: '1' }).slice(0, 1)
  const field = simulatedField({ devices, dir: folder })
  await field.start()
  onTestFinished(() => field.stop())
  const config = join(folder, 'gateway.yaml')
  writeFileSync(
    config,
    stringify({
      gateway: { id: 'GW-000123', dataDir: 'data' },
      lines: [field.line()],
      devices: devices.map(({ id, profile, address }) => ({
        id,
        profile,
        address,
        line: 'wire',
        every: '500ms',
      })),
      broker: { listen: ['tcp://127.0.0.1:0'] },
      cloud: { url: `mqtt://127.0.0.1:${await freePort()}`, trust: signer.root.publicKey },
      usage: { interval: '2s' },
    }),
  )
  const gateway = await startHeadgate(['gateway', '--config', config])
  const data = join(folder, 'data')
  const counted = async (): Promise<number> => {
    const usage = (await askGateway(data, '/v1/usage')) as UsageFacts[]
    return usage
      .filter(({ meter }) => meter === 'sensor.readings')
      .reduce((sum, { end }) => sum + Number(end), 0)
  }
  const kept = async (): Promise<number> =>
    Number(((await askGateway(data, '/v1/status')) as GatewayState).store['readings'])
  const goesOn = async (why: string): Promise<void> => {
    const [before, stored] = [await counted(), await kept()]
    await until(`readings are kept and counted ${why}`, async () => {
      return (await counted()) > before + 2 && (await kept()) > stored + 2
    })
  }
  const apply = async (bytes: Uint8Array): Promise<unknown> =>
    askGateway(data, '/v1/policy', { body: bytes }).catch((error: unknown) => error)

  await goesOn('without a policy')
  expect(await apply(signer.whole(policy(1)))).toMatchObject({ applied: true })
  await goesOn('with one')
  const over = { issuedAt: ISSUED + 9 * HOUR, freshUntil: ISSUED, hardUntil: ISSUED }
  expect(await apply(signer.whole(policy(2, over)))).toMatchObject({ applied: true })
  await goesOn('with one that has expired')
  for (const [at, claim] of ['disputed', 'decommissioned', 'unclaimed'].entries()) {
    const owner = { org: 'acme', ownerEpoch: 1, claim }
    expect(await apply(signer.whole(policy(20 + at, { owner })))).toMatchObject({ applied: true })
    await goesOn(claim)
  }
  await apply(signer.whole({ ...policy(30), critical: ['moon'] }))
  const { policy: inForce } = (await askGateway(data, '/v1/status')) as GatewayState
  expect(inForce.refused).toMatchObject({ critical: 1, older: 0, unsigned: 0 })
  await goesOn('after one that was refused')
  await gateway.end()
})
