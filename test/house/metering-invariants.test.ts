import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

const INVARIANTS = 23
/** The only reasons there are; an invariant that is tested has none. */
const REASONS = [
  'waits: the cellular meters',
  'waits: the verifier of the ledger',
  'waits: the kills of the ledger',
  'waits: quotas on the gateway',
  'waits: payments',
  'waits: the API of billing',
]

const rows = read('docs/metering-invariants.md')
  .split('\n')
  .flatMap((line) => {
    const [, id, , where] = /^\| (I\d+) *\| (.*?) *\| (.*?) *\|$/.exec(line) ?? []
    return id === undefined || where === undefined ? [] : [{ id, where }]
  })

test('every invariant of metering has one row, and every row is an invariant', () => {
  expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: INVARIANTS }, (_, n) => `I${n + 1}`))
})

test.for(rows)('$id is shown by a test of that name, or says why it waits', ({ id, where }) => {
  // A part of it may be shown, and the rest wait.
  const waits = where.replace(/`[^`]+`(, |; |$)/g, '')
  if (waits !== '' || !where.includes('`')) expect(REASONS).toContain(waits)
  for (const [, file = ''] of where.matchAll(/`([^`]+)`/g)) {
    expect([file, existsSync(join(root, file))]).toEqual([file, true])
    // A title begins with the id; a longer number is another invariant's.
    expect(read(file)).toMatch(new RegExp(`['\`]${id} `))
  }
})
