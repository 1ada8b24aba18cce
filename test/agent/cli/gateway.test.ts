import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { gatewayKey } from '../../../agent/identity.ts'
import { headgate, headgateJson, startHeadgate, testFolder } from '../../support/cli.ts'
import { commandsOnThePage, differences } from '../../support/cli-json.ts'
import { parseExposition } from '../../support/exposition.ts'
import { freePort } from '../../support/free-port.ts'

test('the public key is shown without starting anything, and stays', async () => {
  const folder = testFolder()
  const config = join(folder, 'gateway.yaml')
  writeFileSync(config, 'gateway: { id: GW-1, dataDir: data }\n')
  const args = ['gateway', '--config', config, '--print-key']
  const first = await headgateJson(args)
  expect(first.code).toBe(0)
  expect(differences('headgate gateway --print-key', [first.json])).toEqual([])
  expect(first.json['publicKey']).toBe(gatewayKey(join(folder, 'data')).publicKey)
  expect(statSync(join(folder, 'data/gateway.key')).mode & 0o777).toBe(0o600)
  expect((await headgateJson(args)).json).toEqual(first.json)
})

test('init, sim, gateway, status, sensors, usage and doctor work together', {
  timeout: 120_000,
}, async () => {
  const folder = testFolder()
  const { json: made } = await headgateJson(['init', '--dir', folder])
  const sim = await startHeadgate(['profile', 'sim', 'example-tilt/1'])
  const config = String(made['config'])
  const line = `lines: [{ id: port1, tcp: "${String(sim.ready['port']).slice(4)}", baud: 19200, format: 8E1 }]`
  const device = 'devices: [{ id: tilt-1, line: port1, address: 1, profile: example-tilt/1, every: 500ms }]'
  const metrics = `127.0.0.1:${await freePort()}`
  const text = readFileSync(config, 'utf8')
    .replace('lines: []', line)
    .replace('devices: []', device)
    .replace('127.0.0.1:1883"]', `127.0.0.1:0"], metrics: { listen: "${metrics}" }`)
  writeFileSync(config, text)

  const gateway = await startHeadgate(['gateway', '--config', config])
  expect(differences('headgate gateway', [gateway.ready])).toEqual([])
  const here = ['--config', config]
  let status = await headgateJson(['status', ...here])
  for (let look = 0; look < 60 && (status.json['store'] as { readings: number }).readings === 0; look += 1) {
    await sleep(500)
    status = await headgateJson(['status', ...here])
  }
  expect(status.json).toMatchObject({
    gateway: 'GW-1',
    link: null,
    devices: [{ id: 'tilt-1', health: 'ok' }],
  })
  // Alone and well it has no link and no limits and refuses nothing; those rows are seen in query.test.ts.
  const differing = differences('headgate status', [status.json])
  expect(differing.filter((text) => !/: (link|refused|quotas)/.test(text))).toEqual([])
  const figures = parseExposition(await (await fetch(`http://${metrics}/metrics`)).text())
  expect(figures.get('headgate_broker_messages_published_total')?.samples[0]?.value).toBeGreaterThan(0)
  const sensors = await headgateJson(['sensors', ...here])
  expect(sensors.json).toMatchObject([{ device: 'tilt-1', organisation: 'home' }, { sensor: 'health' }])
  expect(differences('headgate sensors', [sensors.json])).toEqual([])
  const usage = await headgateJson(['usage', ...here])
  expect(differences('headgate usage', [usage.json])).toEqual([])
  const doctor = await headgateJson(['doctor', ...here])
  expect(doctor).toMatchObject({ code: 0, json: { ok: true } })
  expect(doctor.json['checks']).toEqual(
    expect.arrayContaining([expect.objectContaining({ check: 'gateway', message: 'is running' })]),
  )
  expect(await headgateJson(['gateway', ...here])).toMatchObject({
    code: 1,
    json: { error: { code: 'STORE_LOCKED' } },
  })

  const { code, stdout } = await gateway.end()
  expect(code).toBe(0)
  expect(stdout.trim().split('\n')).toHaveLength(2)
  expect(await headgateJson(['status', ...here])).toMatchObject({ code: 1 })
})

test('every command has its part of docs/cli-json.md, and no other has one', async () => {
  const groups = (await helpOf([])).filter((name) => name !== 'help')
  const paths = await Promise.all(
    groups.map(async (group) => {
      const inner = ['line', 'profile', 'cloud', 'policy', 'ticket', 'data', 'ledger'].includes(group)
        ? await helpOf([group])
        : []
      const commands = inner.filter((name) => name !== 'help').map((name) => `headgate ${group} ${name}`)
      return group === 'cloud'
        ? ['headgate cloud', ...commands]
        : inner.length > 0
          ? commands
          : [`headgate ${group}`]
    }),
  )
  const told = commandsOnThePage().filter((heading) => !heading.includes('--'))
  expect(told.toSorted()).toEqual(paths.flat().toSorted())
})

/** Names of the commands that a help lists. */
async function helpOf(path: readonly string[]): Promise<string[]> {
  const { stdout } = await headgate([...path, '--help'])
  const list = stdout.split('Commands:\n')[1]?.split('\n\n')[0] ?? ''
  return [...list.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name = '']) => name)
}
