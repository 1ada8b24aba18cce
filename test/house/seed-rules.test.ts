import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

/** Written by hand: how many rules each source document has. */
const RULES_OF = { S0: 36, S1: 19, S2: 17, S3: 19, S4: 18 }
const IDS = Object.entries(RULES_OF).flatMap(([source, count]) =>
  Array.from({ length: count }, (_, index) => `${source}.${index + 1}`),
)
/** The only reasons there are; a rule that is built has none. */
const REASONS = [
  'waits: a screen only',
  'waits: usage, quotas and bills',
  'waits: the directory and its API',
  'waits: the directory keeps one key a person',
  'waits: the directory has the switch',
]

const rows = read('docs/seed-rules.md')
  .split('\n')
  .flatMap((line) => {
    const [, id, , where] = /^\| (S\d\.\d+) *\| (.*?) *\| (.*?) *\|$/.exec(line) ?? []
    return id === undefined || where === undefined ? [] : [{ id, where }]
  })

test('every rule of every source document has one row, and every row is a rule', () => {
  expect(rows.map(({ id }) => id)).toEqual(IDS)
})

test.for(rows)('$id is shown by a test of that name, or says why it waits', ({ id, where }) => {
  if (!where.includes('`')) {
    expect(REASONS).toContain(where)
    return
  }
  for (const [, file = ''] of where.matchAll(/`([^`]+)`/g)) {
    expect([file, existsSync(join(root, file))]).toEqual([file, true])
    // A name begins with the id; a longer number is another rule's.
    expect(read(file)).toMatch(new RegExp(`['\`]${id.replace('.', '\\.')} `))
  }
})
