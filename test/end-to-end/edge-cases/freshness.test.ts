import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { demoDevices, simulatedField } from '../../../agent/cli/demo/field.ts'
import { askGateway } from '../../../agent/local-api/client.ts'
import type { GatewayState } from '../../../agent/local-api/state.ts'
import { headgateJson, testFolder } from '../../support/cli.ts'
import { until } from '../../support/edge-site.ts'
import { DAY, PolicySite } from '../../support/policy-site.ts'

const CASE_MS_MAX = 120_000
const T0 = Date.UTC(2026, 10, 22)

/** One right of each class of the matrix: always, while fresh, narrowing, in the cloud only. */
const CLASSES = [
  ['A, reading', 'data.read', 'tilt-1'],
  ['A, operating', 'device.operate', 'tilt-1'],
  ['A, setting up', 'device.config', 'tilt-1'],
  ['F', 'share.grant', 'tilt-1'],
  ['N', 'share.revoke', 'tilt-1'],
  ['N, of people', 'member.remove', 'org:acme'],
  ['C', 'org.update', 'org:acme'],
] as const
const OWN = (f: string) => ({
  ...{ 'A, reading': true, 'A, operating': true, 'A, setting up': true },
  ...{ F: f, N: true, 'N, of people': true, C: 'cloud-only' },
})

test('edge case 15: fresh, stale and expired for each class of rights, while readings are taken, kept and told to their own', {
  timeout: CASE_MS_MAX,
}, async () => {
  const devices = demoDevices({ address: '1' }).slice(0, 1)
  const field = simulatedField({ devices, dir: testFolder() })
  await field.start()
  onTestFinished(() => field.stop())
  const site = new PolicySite({
    lines: [field.line()],
    devices: devices.map(({ id, profile, address }) => ({
      id,
      profile,
      address,
      line: 'wire',
      every: '500ms',
    })),
    console: { listen: '127.0.0.1:0' },
  })
  await site.start()
  const data = join(site.folder, 'data')
  const why = async (as: string, right: string, thing: string): Promise<unknown> => {
    const asked = new URLSearchParams({ as, right, thing }).toString()
    const { allowed, because } = (await askGateway(data, `/v1/why?${asked}`)) as {
      allowed: boolean
      because: string
    }
    return allowed ? true : because
  }
  const classes = async (): Promise<Record<string, unknown>> =>
    Object.fromEntries(
      await Promise.all(
        CLASSES.map(async ([name, right, thing]) => [name, await why('acme:ana', right, thing)] as const),
      ),
    )
  const kept = async (): Promise<number> =>
    Number(((await askGateway(data, '/v1/status')) as GatewayState).store['readings'])
  const heard = { ana: 0, bea: 0 }
  const listen = async (name: 'ana' | 'bea'): Promise<void> => {
    const client = await site.client(name)
    client.on('message', (topic) => {
      if (topic.endsWith('/readings')) heard[name] += 1
    })
    await client.subscribeAsync('#', { qos: 1 })
  }
  const goesOn = async (...who: (keyof typeof heard)[]): Promise<void> => {
    const [before, stored] = [{ ...heard }, await kept()]
    await until('readings are kept and told', async () => {
      return who.every((name) => heard[name] > before[name] + 1) && (await kept()) > stored + 1
    })
  }
  const shares = async (what: 'share' | 'revoke', to: string): Promise<string> => {
    const { login, key } = site.login('ana')
    return askGateway(data, `/v1/${what}`, {
      body: { thing: 'tilt-1', to },
      login: { name: login, key },
    }).then(
      () => 'done',
      (error: unknown) => String((error as { code?: string }).code),
    )
  }

  expect(await site.apply(site.signer.whole(site.policy(1, { issuedAt: T0 })))).toBe('applied')
  await listen('ana')
  await listen('bea')
  expect(await classes()).toEqual({ ...OWN(''), F: true })
  await goesOn('ana', 'bea')
  expect(await shares('share', 'acme')).toBe('done')

  // From the very millisecond: a policy that was signed at the end of its freshness.
  const stale = { issuedAt: T0 + DAY, freshUntil: T0 + DAY, hardUntil: T0 + 30 * DAY }
  expect(await site.apply(site.signer.whole(site.policy(2, stale)))).toBe('applied')
  expect(await classes()).toEqual(OWN('stale'))
  await goesOn('ana', 'bea')
  expect(await shares('share', 'acme:ana')).toBe('CHANGE_REFUSED')

  const expired = { issuedAt: T0 + 30 * DAY, freshUntil: T0 + 2 * DAY, hardUntil: T0 + 30 * DAY }
  expect(await site.apply(site.signer.whole(site.policy(3, expired)))).toBe('applied')
  expect(await classes()).toEqual(OWN('stale'))
  expect(await why('borealis:bea', 'data.read', 'tilt-1')).toBe('lapsed')
  await until('what was on its way has come', async () => {
    const before = heard.bea
    await goesOn('ana')
    return heard.bea === before
  })
  await goesOn('ana')
  // Taking away works at any age of the policy, here what crosses organisations.
  expect(await shares('revoke', 'borealis')).toBe('done')
  expect(await site.apply(site.signer.whole(site.policy(4, { ...expired, issuedAt: T0 + 31 * DAY })))).toBe(
    'applied',
  )
  await goesOn('ana')
  // Whoever runs the machine gets at everything without anybody's key, and changes nothing in nobody's name.
  const at = ['--config', site.config]
  const seen = await headgateJson(['sensors', ...at])
  expect([seen.code, JSON.stringify(seen.json)]).toEqual([0, expect.stringContaining('tilt-1')])
  const alone = await headgateJson(['revoke', 'tilt-1', 'borealis', ...at])
  expect([alone.code, alone.json['error']]).toMatchObject([2, { code: 'USAGE' }])
  await site.stop()
})
