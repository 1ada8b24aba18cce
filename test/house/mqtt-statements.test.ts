import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const DOCUMENT = 'docs/mqtt-3.1.1.md'

/** Appendix B of the standard: how many numbered statements each section has; they count from 1 without a gap. */
const STATEMENTS: Record<string, number> = {
  '1.5.3': 3,
  '2.2.2': 2,
  '2.3.1': 7,
  '3.1.0': 2,
  '3.1.2': 24,
  '3.1.3': 11,
  '3.1.4': 5,
  '3.2.0': 1,
  '3.2.2': 6,
  '3.3.1': 12,
  '3.3.2': 3,
  '3.3.4': 1,
  '3.3.5': 2,
  '3.6.1': 1,
  '3.8.1': 1,
  '3.8.3': 4,
  '3.8.4': 6,
  '3.9.3': 2,
  '3.10.1': 1,
  '3.10.3': 2,
  '3.10.4': 6,
  '3.12.4': 1,
  '3.14.1': 1,
  '3.14.4': 3,
  '4.1.0': 2,
  '4.3.1': 1,
  '4.3.2': 2,
  '4.3.3': 2,
  '4.4.0': 1,
  '4.5.0': 2,
  '4.6.0': 6,
  '4.7.1': 3,
  '4.7.2': 1,
  '4.7.3': 4,
  '4.8.0': 2,
  '6.0.0': 4,
  '7.0.0': 2,
  '7.1.1': 1,
  '7.1.2': 1,
}
const ids = Object.entries(STATEMENTS).flatMap(([section, count]) =>
  Array.from({ length: count }, (_, n) => `MQTT-${section}-${n + 1}`),
)

interface Row {
  readonly id: string
  readonly words: string
  readonly keptBy: readonly string[]
  readonly tests: string
}
const rows: Row[] = readFileSync(join(root, DOCUMENT), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| MQTT-'))
  .map((line) => {
    const [id = '', words = '', keptBy = '', tests = ''] = line
      .slice(1, -1)
      .split(' | ')
      .map((cell) => cell.trim())
    return { id, words, keptBy: keptBy.split(', '), tests }
  })

/** The texts in quotes of a test file and of its table of cases beside it, comments left out: its titles are among them. */
function quotedIn(file: string): string[] {
  const sources = [file, file.replace('.test.ts', '.ts')].filter((path) => existsSync(join(root, path)))
  return sources.flatMap((path) => {
    const source = readFileSync(join(root, path), 'utf8').replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '')
    return [...source.matchAll(/'(?:[^'\\\n]|\\.)*'|`[^`]*`/g)].map(([quoted]) => quoted)
  })
}

test('the list is complete: 141 statements', () => {
  expect(ids).toHaveLength(141)
})

test('each statement has exactly one row, in the order of the standard, and no row is of another', () => {
  expect(rows.map(({ id }) => id)).toEqual(ids)
})

test.for(rows)('$id says who keeps it, and has tests with its number or a reason', ({ id, ...row }) => {
  expect(row.words.length).toBeGreaterThan(10)
  const folders = readdirSync(join(root, 'broker'))
  for (const who of row.keptBy) expect([...folders, 'client', 'not applicable']).toContain(who)
  const files = [...row.tests.matchAll(/\]\(\.\.\/([^)]+)\)/g)].map(([, file = '']) => file)
  if (files.length === 0) expect(row.tests.length).toBeGreaterThan(25)
  for (const file of files) {
    expect(existsSync(join(root, file)), file).toBe(true)
    expect(
      quotedIn(file).filter((title) => title.includes(`[${id}]`)).length,
      `${file} has no title with [${id}]`,
    ).toBeGreaterThan(0)
  }
})

test('no test and no comment of the broker names a statement that does not exist', () => {
  const files = ['broker', 'test/broker'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true })
      .map((file) => join(folder, String(file)))
      .filter((file) => file.endsWith('.ts')),
  )
  const named = files.flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/\[(MQTT-[\d.-]+)\]/g)].map(
      ([, id = '']) => `${file}: ${id}`,
    ),
  )
  expect(named.length).toBeGreaterThan(100)
  expect(named.filter((name) => !ids.includes(name.split(': ')[1] ?? ''))).toEqual([])
})
