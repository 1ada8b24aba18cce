import { existsSync, globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

/** Written by hand: how many rules each source document has. */
const RULES_OF = { S0: 36, S1: 19, S2: 17, S3: 19, S4: 18 }
const IDS = Object.entries(RULES_OF).flatMap(([source, count]) =>
  Array.from({ length: count }, (_, index) => `${source}.${index + 1}`),
)
/** Written by hand: the rules that may have no test here, and why. A rule that is built gives no reason. */
const MAY_WAIT: Readonly<Record<string, readonly string[]>> = {
  'waits: a screen only': ['S0.2', 'S2.6', 'S4.11'],
  'waits: usage, quotas and bills': [
    ...['S0.29', 'S0.30', 'S0.31', 'S0.32', 'S0.33', 'S0.34', 'S0.35', 'S0.36', 'S1.2', 'S1.13'],
    ...['S3.3', 'S3.5', 'S3.9', 'S3.15', 'S3.16', 'S3.17', 'S3.18'],
  ],
}
const DIRECTORY_TESTS = 'test/cloud-sync/cloud/directory/'

const rows = read('docs/seed-rules.md')
  .split('\n')
  .flatMap((line) => {
    const [, id, , where] = /^\| (S\d\.\d+) *\| (.*?) *\| (.*?) *\|$/.exec(line) ?? []
    return id === undefined || where === undefined ? [] : [{ id, where }]
  })

/** Names of tests, also of the cases of a table, that begin with an id of a rule. */
const TITLE = /(?:\.with\(|\btest\(|\[)\s*['"`](S\d\.\d+) /g
const idsIn = (file: string): Set<string> => new Set([...read(file).matchAll(TITLE)].map(([, id = '']) => id))
const filesOf = (where: string): string[] => [...where.matchAll(/`([^`]+)`/g)].map(([, file = '']) => file)

test('every rule of every source document has one row, and every row is a rule', () => {
  expect(rows.map(({ id }) => id)).toEqual(IDS)
})

test.for(rows)('$id is shown by a test whose name begins with it, or says why it waits', ({ id, where }) => {
  const files = filesOf(where)
  if (files.length === 0) {
    expect(MAY_WAIT[where]).toContain(id)
    return
  }
  for (const file of files) {
    expect([file, existsSync(join(root, file))]).toEqual([file, true])
    expect(idsIn(file), file).toContain(id)
  }
  const isAccess = !Object.values(MAY_WAIT).flat().includes(id)
  // What the directory does is shown on the directory, not on a decision alone.
  if (isAccess) expect(files.filter((file) => file.startsWith(DIRECTORY_TESTS))).not.toEqual([])
})

test('every test of the directory that is named after a rule is on the map', () => {
  const mapped = new Map(rows.map(({ id, where }) => [id, filesOf(where)]))
  const tests = globSync(`${DIRECTORY_TESTS}*.test.ts`, { cwd: root })
  for (const file of tests)
    for (const id of idsIn(file)) expect([id, mapped.get(id)]).toEqual([id, expect.arrayContaining([file])])
})
