import { isMap, isNode, isScalar, isSeq, type Document, type LineCounter, type Node } from 'yaml'
import type { z } from 'zod'
import { AgentError } from '../errors.ts'

/** One thing that is wrong in a configuration file. */
export interface ConfigFault {
  /** 1 = first line. */
  readonly line: number
  readonly column: number
  /** Where in the tree, e.g. `devices[2].every`; empty for the file as a whole. */
  readonly path: string
  readonly message: string
}

export type Path = readonly (string | number)[]

/** A configuration that was refused, with everything that is wrong in it. */
export class ConfigError extends AgentError {
  readonly faults: readonly ConfigFault[]

  constructor(file: string, faults: readonly ConfigFault[]) {
    const lines = faults.map(
      ({ line, path, message }) => `  line ${line}: ${path === '' ? '' : `${path} `}${message}`,
    )
    const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`
    super('CONFIG_INVALID', [`${file} has ${count}`, ...lines].join('\n'))
    this.name = 'ConfigError'
    this.faults = faults
  }
}

/** Finds lines for paths of one document. */
export class Locator {
  readonly #root: Node | null
  readonly #lines: LineCounter

  constructor(document: Document.Parsed, lines: LineCounter) {
    this.#root = document.contents
    this.#lines = lines
  }

  /** The fault at this path, or at the deepest part of it that is in the file. */
  fault(path: Path, message: string): ConfigFault {
    const { line, col } = this.#lines.linePos(this.#offset(path))
    return { line: Math.max(line, 1), column: Math.max(col, 1), path: spell(path), message }
  }

  #offset(path: Path): number {
    let place: Place | undefined = { offset: this.#root?.range?.[0] ?? 0, node: this.#root }
    let offset = place.offset
    for (const part of path) {
      place = step(place.node, part)
      if (place === undefined) return offset
      offset = place.offset
    }
    return offset
  }
}

interface Place {
  readonly offset: number
  readonly node: unknown
}

/** One part down the tree; undefined where the file does not go that far. */
function step(node: unknown, part: string | number): Place | undefined {
  if (isMap(node)) {
    const pair = node.items.find(({ key }) => isScalar(key) && key.value === part)
    return pair === undefined ? undefined : { offset: startOf(pair.key), node: pair.value }
  }
  const item = isSeq(node) ? node.items[Number(part)] : undefined
  return item === undefined ? undefined : { offset: startOf(item), node: item }
}

const startOf = (node: unknown): number => (isNode(node) ? (node.range?.[0] ?? 0) : 0)

/** What a zod issue means, in words for somebody who writes the file; one fault for each unknown key. */
export function faultsOf(issue: z.core.$ZodIssue, locate: Locator): ConfigFault[] {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => locate.fault([...path, key], 'is not a key here'))
  }
  return [locate.fault(path, sentenceOf(issue))]
}

function sentenceOf(issue: z.core.$ZodIssue): string {
  if (issue.input === undefined && issue.code.startsWith('invalid_')) return 'is missing'
  if (issue.code === 'invalid_type') return KINDS[issue.expected] ?? `must be a ${issue.expected}`
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.join(', ')}`
  return issue.message
}

const KINDS: Readonly<Record<string, string>> = {
  object: 'must be a group of keys',
  record: 'must be a group of keys',
  array: 'must be a list',
  string: 'must be a single text',
}

function spell(path: Path): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
    .join('')
    .replace(/^\./, '')
}
