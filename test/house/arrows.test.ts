import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const rules = createRequire(import.meta.url)(join(root, '.dependency-cruiser.cjs')) as {
  forbidden: { name: string }[]
}

/** One file that breaks each rule, in a tree of its own. */
const SEEDS: Record<string, Record<string, string>> = {
  'no-cycles': { 'agent/a.ts': "import './b.ts'", 'agent/b.ts': "import './a.ts'" },
  'hardware-and-broker-know-nobody': { 'hardware/x.ts': "import '../cloud-sync/contract/index.ts'" },
  'cloud-sync-never-knows-the-gateway': { 'cloud-sync/cloud/x.ts': "import '../../hardware/index.ts'" },
  'only-the-cloud-embeds-the-broker': { 'cloud-sync/gateway/x.ts': "import '../../broker/index.ts'" },
  'through-the-front-door': {
    'agent/door.ts': "import '../hardware/inner.ts'",
    'hardware/inner.ts': 'export {}',
  },
  'gateway-end-and-cloud-end-are-strangers': { 'cloud-sync/gateway/y.ts': "import '../cloud/index.ts'" },
  'contract-is-the-bottom': { 'cloud-sync/contract/x.ts': "import 'node:fs'" },
  'codec-stands-on-contract': { 'cloud-sync/codec/x.ts': "import 'node:fs'" },
  'access-stands-on-contract': { 'cloud-sync/access/x.ts': "import '../codec/index.ts'" },
  'evidence-stands-on-codec': { 'cloud-sync/evidence/x.ts': "import 'node:fs'" },
  'metering-knows-no-storage': {
    'agent/metering/x.ts': "import '../storage/store.ts'",
    'agent/storage/store.ts': 'export {}',
  },
  'decisions-are-pure': { 'cloud-sync/access/y.ts': "import 'node:fs'" },
  'billing-is-pure': { 'cloud-sync/cloud/billing/x.ts': "import 'node:fs'" },
  'one-owner-for-sqlite': { 'agent/sql.ts': "import 'better-sqlite3'" },
  'one-owner-for-postgres': { 'agent/pg.ts': "import 'pg'" },
  'one-owner-for-mail': { 'agent/mail.ts': "import 'nodemailer'" },
  'one-owner-for-stripe': { 'agent/payments.ts': "import 'stripe'" },
  'one-owner-for-serialport': { 'agent/serial.ts': "import '@serialport/stream'" },
  'one-owner-for-aedes': { 'agent/mqtt-broker.ts': "import 'aedes'" },
  'one-owner-for-ws': { 'agent/web-socket.ts': "import 'ws'" },
  'one-owner-for-mqtt': { 'agent/mqtt-client.ts': "import 'mqtt'" },
  'nothing-imports-tests': { 'agent/t.ts': "import '../test/t.ts'", 'test/t.ts': 'export {}' },
  'no-dev-dependencies-in-product': { 'agent/dev.ts': "import 'fast-check'" },
}

let tree = ''
let caught: string[] = []

beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), 'headgate-arrows-'))
  for (const name of ['.dependency-cruiser.cjs', 'tsconfig.json', 'package.json'])
    cpSync(join(root, name), join(tree, name))
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'))
  const doors = [
    'hardware',
    'broker',
    ...['contract', 'access', 'codec', 'evidence', 'gateway', 'cloud'].map((f) => `cloud-sync/${f}`),
  ]
  const files = Object.assign(
    {},
    ...doors.map((door) => ({ [`${door}/index.ts`]: 'export {}' })),
    ...Object.values(SEEDS),
  ) as Record<string, string>
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(tree, dirname(file)), { recursive: true })
    writeFileSync(join(tree, file), `${text}\n`)
  }
  const args = [
    '--config',
    '.dependency-cruiser.cjs',
    '--output-type',
    'json',
    'agent',
    'broker',
    'cloud-sync',
    'hardware',
    'test',
  ]
  const bin = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs')
  let output: string
  try {
    output = execFileSync(process.execPath, [bin, ...args], {
      cwd: tree,
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    })
  } catch (error) {
    output = (error as { stdout: string }).stdout
  }
  const report = JSON.parse(output) as { summary: { violations: { rule: { name: string }; from: string }[] } }
  caught = report.summary.violations.map((violation) => `${violation.rule.name} ${violation.from}`)
}, 60_000)

afterAll(() => {
  rmSync(tree, { recursive: true, force: true })
})

test('every rule of the arrows has a seeded violation here', () => {
  expect(Object.keys(SEEDS).sort()).toEqual(rules.forbidden.map((rule) => rule.name).sort())
})

test.for(Object.entries(SEEDS))('a violation of %s is caught', ([rule, files]) => {
  expect(caught).toContain(`${rule} ${Object.keys(files)[0]}`)
})
