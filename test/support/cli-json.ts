import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

const PAGE = readFileSync(resolve(import.meta.dirname, '../../docs/cli-json.md'), 'utf8')

interface Row {
  readonly path: string
  readonly types: readonly string[]
}

/** Fields that docs/cli-json.md tells of under this heading. */
function rowsUnder(heading: string): Row[] {
  const section = PAGE.split(/^## /m).find((text) => text.startsWith(`${heading}\n`))
  if (section === undefined) throw new Error(`docs/cli-json.md has no section ${heading}`)
  return [...section.matchAll(/^\| `([^`]+)` *\| ([^|]+?) *\|/gm)].map(([, path = '', types = '']) => ({
    path,
    types: types.trim().split(/, | or /),
  }))
}

interface Leaf {
  readonly path: string
  readonly type: string
}

/** Every value that is no list and no object, with the path to it as the page writes it. */
function leavesOf(value: unknown, path = ''): Leaf[] {
  if (Array.isArray(value)) return value.flatMap((item) => leavesOf(item, `${path}[]`))
  if (typeof value !== 'object' || value === null) return [{ path, type: typeOf(value) }]
  return Object.entries(value).flatMap(([key, item]) => leavesOf(item, path === '' ? key : `${path}.${key}`))
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  return Number.isInteger(value) ? 'integer' : typeof value
}

const escaped = (text: string): string => text.replaceAll(/[.[\]/]/g, String.raw`\$&`)
const isAt = (row: Row, path: string): boolean =>
  new RegExp(
    `^${row.path
      .split(/\{[a-z]+\}/)
      .map(escaped)
      .join('[^.]+')}$`,
  ).test(path)
const isOf = ({ types }: Row, type: string): boolean =>
  types.includes(type) || (type === 'integer' && types.includes('number'))

/**
 * Where answers and the page differ: fields that the page does not tell of, or of another type, and fields of the page
 * that none of the answers has.
 */
export function differences(heading: string, answers: readonly unknown[]): string[] {
  const rows = rowsUnder(heading)
  const leaves = answers.flatMap((answer) => leavesOf(answer))
  const untold = leaves
    .filter(({ path, type }) => !rows.some((row) => isAt(row, path) && isOf(row, type)))
    .map(({ path, type }) => `printed, not on the page: ${path} ${type}`)
  const unseen = rows
    // That a list or an object may be null is told by a row of its own.
    .filter(({ path, types }) => !types.includes('object') && !types.includes('array') && path !== '')
    .filter((row) => !leaves.some(({ path }) => isAt(row, path)))
    .map(({ path }) => `on the page, not printed: ${path}`)
  return [...new Set([...untold, ...unseen])]
}

/** Headings of the page that tell of a command. */
export const commandsOnThePage = (): string[] =>
  [...PAGE.matchAll(/^## (headgate .+)$/gm)].map(([, heading = '']) => heading)
