import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'

const SUITE = join(import.meta.dirname, '../../support/aedes-suite-child.ts')
const TESTS = 50
/** Each of them opens a database and commits; another test may have the disk. */
const TIMEOUT_MS = 90_000

test('the suite of aedes-persistence passes on a file, every test of it', {
  timeout: TIMEOUT_MS,
}, async () => {
  const child = spawn(process.execPath, ['--test', '--test-reporter=tap', SUITE], {
    // vitest's own settings for node:test must not reach it.
    env: { ...process.env, NODE_OPTIONS: '', NODE_TEST_CONTEXT: undefined },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [report] = await Promise.all([
    text(child.stdout),
    new Promise((resolve) => child.once('close', resolve)),
  ])
  const results = [...report.matchAll(/^(ok|not ok) \d+ - (.*)$/gm)].map(([, result = '', name = '']) => ({
    // TAP escapes what would begin a directive.
    name: name.replaceAll('\\#', '#'),
    result,
  }))
  expect(results.filter(({ result, name }) => result !== 'ok' || /# (SKIP|TODO)/i.test(name))).toEqual([])
  // Counted in the suite's own text, so that none is left out without a word when it grows.
  const fromAedes = createRequire(import.meta.resolve('aedes'))
  const source = readFileSync(fromAedes.resolve('aedes-persistence/abstract.js'), 'utf8')
  const names = [...source.matchAll(/^ {2}test\('(.*)', async/gm)].map(([, name]) => name)
  expect(names).toHaveLength(TESTS)
  expect(results.map(({ name }) => name)).toEqual(names)
})
