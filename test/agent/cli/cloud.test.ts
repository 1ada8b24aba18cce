import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openKeys } from '../../../cloud-sync/cloud/keys/index.ts'
import { headgate, headgateJson, startHeadgate, testFolder } from '../../support/cli.ts'
import { differences } from '../../support/cli-json.ts'
import { KEYS, writeDirectory } from '../../support/cloud-fixture.ts'
import { linkGateway, writeConfig } from '../../support/cloud-process.ts'
import {
  epochOf,
  fakeGateway,
  readingChain,
  statusOf,
  usageBody,
  usageChain,
} from '../../support/fake-gateway.ts'

/** A cloud run by the command, with a gateway that has sent `batches` of 4 readings and 5 usage records. */
async function cloudWith(batches: number) {
  const folder = testFolder()
  const keys = openKeys(join(folder, 'data'))
  const gateway = fakeGateway('GW-1', keys.cloudId)
  const config = writeConfig(folder, writeDirectory(folder, [gateway]))
  const cloud = await startHeadgate(['cloud', '--config', config, '--json'])
  const link = await linkGateway(gateway, {
    mqtt: (cloud.ready['mqtt'] as string[])[0] ?? '',
    signer: keys.signing.publicKey,
    defer: onTestFinished,
  })
  const epoch = epochOf('a')
  await link.publish('status', Buffer.from(JSON.stringify(statusOf({ usage: { epoch, parent: null } }))))
  await link.nextAck('usage')
  const records = usageChain({ gateway: gateway.id, epoch, count: 5 })
  await link.publish('usage', gateway.sign('usage', usageBody(records)))
  await link.nextAck('usage')
  for (const { body } of readingChain({ gateway: gateway.id, epoch, count: batches })) {
    await link.publish('rd', gateway.sign('rd', body))
    await link.nextAck('rd')
  }
  await link.end()
  const as = (login: keyof typeof KEYS) => {
    return [
      '--url',
      String(cloud.ready['http']),
      '--login',
      login,
      '--key-file',
      keyFile(folder, KEYS[login]),
    ]
  }
  return { folder, keys, config, cloud, as }
}

function keyFile(folder: string, key: string): string {
  const path = join(folder, `${key}.txt`)
  writeFileSync(path, `${key}\n`)
  return path
}

test('the cloud runs, is asked page by page, and stops', { timeout: 120_000 }, async () => {
  const { keys, config, cloud, as } = await cloudWith(3)
  expect(differences('headgate cloud', [cloud.ready])).toEqual([])
  expect(cloud.ready).toMatchObject({ ready: true, trust: keys.rootPublicKey })
  const trust = await headgateJson(['cloud', '--config', config, '--print-trust'])
  expect(trust).toMatchObject({ code: 0, json: { trust: keys.rootPublicKey } })
  expect(differences('headgate cloud --print-trust', [trust.json])).toEqual([])

  const whole = await headgateJson(['cloud', 'readings', ...as('acme:ana')])
  const values = (json: Record<string, unknown>): unknown[] =>
    (json['readings'] as { value: unknown }[]).map(({ value }) => value)
  expect(values(whole.json)).toEqual([0, 0.02, 0.04, 0.06, 0.08, null])
  const some = await headgateJson(['cloud', 'readings', ...as('acme:ana'), '--limit', '4'])
  const cursor = String(some.json['next'])
  const rest = await headgateJson(['cloud', 'readings', ...as('acme:ana'), '--cursor', cursor])
  expect([...values(some.json), ...values(rest.json)]).toEqual(values(whole.json))
  expect(differences('headgate cloud readings', [whole.json, some.json])).toEqual([])
  const none = await headgateJson(['cloud', 'readings', ...as('acme:ana'), '--device', 'level-1'])
  expect(none).toMatchObject({ code: 0, json: { readings: [], next: null } })

  const usage = await headgateJson(['cloud', 'usage', ...as('acme:ana')])
  expect(usage.json).toMatchObject({
    days: [{ day: '2026-11-21', subject: 'sensor:tilt-1/main', quantity: '35' }],
    registers: [{ end: '35' }],
  })
  expect(differences('headgate cloud usage', [usage.json])).toEqual([])
  const other = await headgateJson(['cloud', 'usage', ...as('acme:ana'), '--device', 'level-1'])
  expect(other.json).toEqual({ days: [], registers: [] })

  const table = await headgate(['cloud', 'readings', ...as('acme:ana'), '--limit', '1'])
  expect(table.stdout).toMatch(/GW-1\/tilt-1\/main +acme +value +0 +mm +good/)
  expect(table.stdout).toContain('there is more: --cursor ')

  const refusals = [
    ['API_FORBIDDEN', ['cloud', 'usage', ...as('acme:bob')]],
    ['API_UNAUTHORISED', ['cloud', 'readings', ...as('acme:ana'), '--login', 'acme:bob']],
    ['API_REQUEST_INVALID', ['cloud', 'readings', ...as('acme:ana'), '--from', 'yesterday']],
  ] as const
  for (const [code, args] of refusals) {
    expect(await headgateJson(args)).toMatchObject({ code: 1, json: { error: { code } } })
  }
  const { code, stdout } = await cloud.end()
  expect(code).toBe(0)
  expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toEqual({ stopped: true })
})

test('a cloud with a faulty configuration does not start, and names the faults', async () => {
  const config = join(testFolder(), 'cloud.yaml')
  writeFileSync(config, 'listen: { http: "127.0.0.1:0" }\nport: 1\n')
  const { code, stderr } = await headgate(['cloud', '--config', config])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^CLOUD_CONFIG_INVALID: /)
  expect(stderr).toContain('dataDir')
})

const ASK = ['--login', 'acme:ana']
const env = { HEADGATE_KEY: 'secret-key' }

test('nobody at the address is told from a wrong key', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  const url = `http://127.0.0.1:${port}`
  const { code, stderr } = await headgate(['cloud', 'readings', '--url', url, ...ASK], { env })
  expect(code).toBe(1)
  expect(stderr).toMatch(/^CLOUD_UNREACHABLE: .*connection refused\./)
})

test.for([
  ['a page of something else', 200, '<html></html>'],
  ['JSON of something else', 200, '{"readings":[{"gateway":1}],"next":null}'],
  ['a refusal of something else', 502, '{"message":"bad gateway"}'],
] as const)('%s is not taken for a cloud', async ([, status, body]) => {
  const url = await answering(status, {}, body)
  const { code, json } = await headgateJson(['cloud', 'readings', '--url', url, ...ASK], { env })
  expect(code).toBe(1)
  expect(json).toMatchObject({ error: { code: 'CLOUD_ANSWER_UNKNOWN' } })
})

test('the key does not follow a redirect', async () => {
  const seen: (string | undefined)[] = []
  const other = await answering(200, {}, '{"readings":[],"next":null}', seen)
  const url = await answering(307, { location: `${other}/v1/readings` }, '')
  const { code } = await headgate(['cloud', 'readings', '--url', url, ...ASK], { env })
  expect(code).toBe(1)
  expect(seen).toEqual([])
})

/** A server that gives everybody the same answer, and notes what they showed it. */
async function answering(
  status: number,
  headers: Record<string, string>,
  ...[body, seen = []]: [string, (string | undefined)[]?]
): Promise<string> {
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization)
    response.writeHead(status, headers).end(body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
