import { readFileSync } from 'node:fs'
import { isMap, isNode, LineCounter, parseDocument, type Document } from 'yaml'
import type { z } from 'zod'
import { SyncError, type SyncErrorCode } from '../contract/index.ts'

/** Largest YAML file read, bytes. */
const YAML_BYTES_MAX = 4 * 1024 * 1024

interface Source {
  readonly document: Document.Parsed
  readonly lines: LineCounter
}

export interface YamlFile<T> {
  /** Named in faults. */
  readonly name: string
  readonly text: string
  readonly schema: z.ZodType<T>
  /** Code of the error thrown where there is any fault. */
  readonly code: SyncErrorCode
}

/** Reads a YAML file; throws with `code` where it cannot be read or is too long. */
export function readYamlFile(path: string, code: SyncErrorCode): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new SyncError(code, `${path} cannot be read`, { cause })
  }
  if (text.length > YAML_BYTES_MAX)
    throw new SyncError(code, `${path} is longer than ${YAML_BYTES_MAX} bytes`)
  return text
}

/** Parses strictly; throws ONE error that names every fault as `file:line: where: what`. */
export function parseYaml<T>(file: YamlFile<T>): T {
  const lines = new LineCounter()
  const document = parseDocument(file.text, { lineCounter: lines, uniqueKeys: true })
  if (document.errors.length > 0) {
    const faults = document.errors.map(
      (e) => `${file.name}:${lines.linePos(e.pos[0]).line}: ${e.message.split('\n')[0] ?? ''}`,
    )
    throw new SyncError(file.code, faults.join('\n'))
  }
  const parsed = file.schema.safeParse(document.toJS())
  if (parsed.success) return parsed.data
  throw new SyncError(file.code, faultsOf(file.name, { document, lines }, parsed.error).join('\n'))
}

function faultsOf(name: string, source: Source, error: z.ZodError): string[] {
  return error.issues.map((issue) => {
    const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : issue.path
    const where = path.length === 0 ? '' : ` ${path.map(String).join('.')}:`
    return `${name}:${lineOf(source, path)}:${where} ${issue.message}`
  })
}

/** The line of the deepest node on the path that is there: a missing key is reported where it should stand. */
function lineOf(source: Source, path: readonly PropertyKey[]): number {
  let at = source.document.contents?.range[0] ?? 0
  for (let depth = 1; depth <= path.length; depth += 1) {
    const here = path.slice(0, depth).map((key) => (typeof key === 'symbol' ? key.toString() : key))
    const node = source.document.getIn(here, true)
    if (!isNode(node) || node.range === null || node.range === undefined) break
    at = keyStart(source, here) ?? node.range[0]
  }
  return source.lines.linePos(at).line
}

function keyStart(source: Source, path: readonly (string | number)[]): number | undefined {
  const parent = path.length === 1 ? source.document.contents : source.document.getIn(path.slice(0, -1), true)
  if (!isMap(parent)) return undefined
  const pair = parent.items.find((item) => isNode(item.key) && String(item.key) === String(path.at(-1)))
  return isNode(pair?.key) ? pair.key.range?.[0] : undefined
}
