import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import { ROUTES } from '../../../cloud-sync/cloud/api/directory/routes/index.ts'
import { OPERATOR_CALLS } from '../../../agent/cli/operator-calls.ts'
import { headgateJson, testFolder } from '../../support/cli.ts'
import { differences } from '../../support/cli-json.ts'
import { writeDirectory } from '../../support/cloud-fixture.ts'
import { spawnCloud, writeConfig } from '../../support/cloud-process.ts'
import { fakeGateway } from '../../support/fake-gateway.ts'

/** Addresses of the operator that other commands ask, and those that the cloud asks itself. */
const ELSEWHERE =
  /^\/v1\/operator\/(claims\/|prices|gateways\/\{gateway\}\/(settling|cut)$|invoices|rate|bill|ledger)/

test('every address of the directory for the operator has a command', () => {
  const args = ['a', 'b', 'c'] as const
  const asked = new Set<string>()
  for (const [name, make] of Object.entries(OPERATOR_CALLS)) {
    if (['change', 'purchase', 'migrate', 'billing-terms'].includes(name)) continue
    const given = name === 'feature' ? ['a', 'on'] : name === 'decide-meter-event' ? ['a', 'b', 'yes'] : args
    const { line } = (make as (args: readonly string[], given: object) => { line: string })(given, {})
    asked.add(line.split('?')[0]?.replaceAll(/\/[abc](?=\/|$)/g, '/{}') ?? '')
  }
  const files = [
    'PUT /organisations/{}/billing-terms',
    'POST /purchases',
    'POST /migrations',
    'POST /migrations/rehearsal',
  ]
  const missing = ROUTES.filter(({ by, path }) => by === 'operator' && !ELSEWHERE.test(path))
    .map(({ method, path }) => `${method} ${path.replace('/v1/operator', '').replaceAll(/\{\w+\}/g, '{}')}`)
    .filter((line) => !asked.has(line) && !files.includes(line))
  expect(missing).toEqual([])
})

test('the operator asks, changes and checks by commands alone', async () => {
  const folder = testFolder()
  const config = writeConfig(folder, writeDirectory(folder, [fakeGateway('GW-1', '0')]))
  const cloud = await spawnCloud(config, onTestFinished)
  const where = ['--url', cloud.http, '--token-file', join(folder, 'data', 'operator.token')]
  const run = (...args: string[]) => headgateJson(['cloud', 'operator', ...args, ...where])
  const verified = await run('verify-log')
  expect(verified).toMatchObject({ code: 0, json: { ok: true, fault: null } })
  expect(differences('headgate cloud operator', [verified.json])).toEqual([])
  expect((await run('govern', 'acme', '--billing', 'external')).json).toEqual({ organisation: 'acme' })
  expect((await run('feature', 'partners', 'off')).json).toEqual({ feature: 'partners', on: false })
  expect((await run('ledger', 'GW-1')).json).toMatchObject({ gateway: 'GW-1', streams: [] })
  expect((await run('verify', 'GW-1')).json).toMatchObject({ ok: true })
  writeFileSync(
    join(folder, 'change.json'),
    JSON.stringify({ kind: 'organisation.added', id: 'delta', name: 'Delta' }),
  )
  expect((await run('change', join(folder, 'change.json'))).json).toEqual({ done: 'organisation.added' })
  expect((await run('operators')).json).toEqual({ items: [], next: null })
  expect(await run('feature', 'partners', 'maybe')).toMatchObject({ code: 2 })
  expect(await run('make-operator', 'nobody')).toMatchObject({
    code: 1,
    json: { error: { code: 'DIRECTORY_NOT_FOUND' } },
  })
  // Somebody with the file in their hands changes what was written.
  const database = new Database(join(folder, 'data', 'organisations.db'))
  for (const { name } of database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'policy_log'")
    .all() as { name: string }[])
    database.exec(`DROP TRIGGER "${name}"`)
  database.exec(
    `UPDATE policy_log SET entry = replace(entry, 'Acme', 'Apex') WHERE chain = 'org:acme' AND seq = 1`,
  )
  database.close()
  const broken = await run('verify-log')
  expect(broken).toMatchObject({ code: 1, json: { ok: false, fault: 'org:acme is broken at 1' } })
}, 120_000)
