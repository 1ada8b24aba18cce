import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { BROKER_NODE_FLAGS, GATEWAY_ENV, GATEWAY_NODE_FLAGS } from '../../agent/cli/node-flags.ts'
import { AGENT_ERRORS } from '../../agent/errors.ts'
import { BROKER_ERRORS } from '../../broker/errors.ts'
import { BILLING_ERRORS } from '../../cloud-sync/cloud/billing/index.ts'
import { INVOICING_ERRORS } from '../../cloud-sync/cloud/invoicing/index.ts'
import { DIRECTORY_ERRORS } from '../../cloud-sync/cloud/directory/errors.ts'
import { API_ERRORS } from '../../cloud-sync/cloud/errors.ts'
import { SYNC_ERRORS } from '../../cloud-sync/contract/index.ts'
import { HARDWARE_ERRORS } from '../../hardware/errors.ts'

const root = resolve(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const TABLES = [
  AGENT_ERRORS,
  BROKER_ERRORS,
  HARDWARE_ERRORS,
  SYNC_ERRORS,
  API_ERRORS,
  BILLING_ERRORS,
  INVOICING_ERRORS,
  DIRECTORY_ERRORS,
]
/** Said by the launcher, before there is a Node. */
const LAUNCHER_ERRORS = { NODE_MISSING: 'Install headgate with its optional dependencies, or Node 24.' }
const CODED = Object.assign({}, ...TABLES) as Record<string, string>
const ERRORS = { ...CODED, ...LAUNCHER_ERRORS }
const documented = new Map(
  read('docs/errors.md')
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf('\n')).trim(), section]),
)

test('no two parts use the same error code', () => {
  expect(TABLES.flatMap((table) => Object.keys(table)).length).toBe(Object.keys(CODED).length)
})

test.for(Object.entries(ERRORS))('%s is explained in docs/errors.md with its hint', ([code, hint]) => {
  expect(documented.get(code)).toContain(hint)
})

test('docs/errors.md explains no code that does not exist', () => {
  expect([...documented.keys()].filter((code) => !(code in ERRORS))).toEqual([])
})

const adrs = readdirSync(join(root, 'docs/adr')).sort()

test('decision records are numbered without a gap', () => {
  expect(adrs.map((file) => file.slice(0, 4))).toEqual(
    adrs.map((_, index) => String(index + 1).padStart(4, '0')),
  )
})

test.for(adrs)('decision record %s has its number, date, status and parts', (file) => {
  const text = read(join('docs/adr', file))
  expect(text).toMatch(new RegExp(`^# ${file.slice(0, 4)}\\. `))
  expect(text).toMatch(/^Date: \d{4}-\d{2}-\d{2}\. Status: (accepted|superseded by \d{4})\.$/m)
  for (const part of ['## Context', '## Decision', '## Consequences']) expect(text).toContain(part)
})

/** Every TypeScript file of the product, relative to the top. */
const sources = ['agent', 'broker', 'cloud-sync', 'hardware']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((file) => join(folder, String(file))),
  )
  .filter((file) => file.endsWith('.ts'))

test.for(sources)('%s has a name that says what it holds and no comment that apologises', (file) => {
  expect(file).not.toMatch(/(^|[/-])(utils?|helpers?|common|manager|misc)[./-]/)
  expect(file).toMatch(/^[a-z0-9-]+(\/[a-z0-9-]+)*\.ts$/)
  expect(read(file)).not.toMatch(/\b(TODO|FIXME|XXX|hack|happens to work|should never happen)\b/i)
})

test.for(Object.keys(CODED))('%s is used somewhere', (code) => {
  const users = sources.filter((file) => !file.endsWith('/errors.ts') && read(file).includes(`'${code}'`))
  expect(users.length).toBeGreaterThan(0)
})

test('the version is the one in package.json', () => {
  const { version } = JSON.parse(read('package.json')) as { version: string }
  expect(read('agent/version.ts')).toContain(`'${version}'`)
})

test('the launcher gives a gateway the same flags as the demo does, and a broker those that were measured', () => {
  for (const flags of [GATEWAY_NODE_FLAGS, BROKER_NODE_FLAGS]) {
    expect(read('agent/cli/headgate')).toContain(`"$node" ${flags.join(' ')} "$main"`)
  }
  expect(read('agent/cli/headgate')).toContain(`export MALLOC_ARENA_MAX=${GATEWAY_ENV.MALLOC_ARENA_MAX}`)
})

test('the folders of ARCHITECTURE.md are the folders there are', () => {
  const text = read('ARCHITECTURE.md')
  const folders = new Set(sources.map((file) => file.split('/').slice(0, -1).slice(0, 2).join('/')))
  for (const folder of folders) expect(text, folder).toContain(`${folder.split('/').at(-1) ?? ''}/`)
})
