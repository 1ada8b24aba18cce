import { isNode, LineCounter, type Node, parseDocument, type ScalarTag } from 'yaml'
import type { z } from 'zod'

/** Longest profile or scenario file, characters. */
export const SOURCE_CHARS_MAX = 256 * 1024
const FAULTS_SHOWN_MAX = 50

/** 8E1 and its like name a format of characters; YAML would take them for numbers with an exponent. */
const CHARACTER_FORMAT: ScalarTag = {
  tag: 'tag:yaml.org,2002:str',
  default: true,
  test: /^[78]E[12]$/,
  resolve: (text) => text,
}

export interface Fault {
  /** Where in the file: the keys and positions down to the value. */
  readonly path: readonly PropertyKey[]
  readonly sentence: string
}

/** A YAML text and its values, able to say on which line a value stands. */
export interface Source {
  readonly value: unknown
  /** Faults of the YAML itself, each with its line. */
  readonly broken: readonly string[]
  /** Faults as lines of text, sorted by where they are. */
  describe(faults: readonly Fault[]): string[]
}

/** Integers within 2^53 as numbers; larger ones stay bigint, so that a 64-bit sentinel keeps its last digit. */
function plainNumbers(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const small = Number(value)
    return Number.isSafeInteger(small) ? small : value
  }
  if (Array.isArray(value)) return value.map(plainNumbers)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plainNumbers(inner)]))
}

/** Parses YAML strictly: one document, no repeated keys. Never throws for what the text says. */
export function parseSource(text: string): Source {
  if (text.length > SOURCE_CHARS_MAX) {
    return {
      value: undefined,
      broken: [`the file has more than ${SOURCE_CHARS_MAX} characters`],
      describe: () => [],
    }
  }
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    intAsBigInt: true,
    customTags: (tags) => [CHARACTER_FORMAT, ...tags],
  })
  const broken = document.errors
    .slice(0, FAULTS_SHOWN_MAX)
    .map((error) => `line ${lines.linePos(error.pos[0]).line}: ${error.message}`)
  const lineOf = (path: readonly PropertyKey[]): number => {
    for (let depth = path.length; depth >= 0; depth -= 1) {
      const node: unknown = document.getIn(path.slice(0, depth), true)
      const range = isNode(node) ? (node as Node).range : undefined
      if (range) return lines.linePos(range[0]).line
    }
    return 1
  }
  return {
    value: broken.length > 0 ? undefined : plainNumbers(tolerantValue(document)),
    broken,
    describe: (faults) =>
      faults
        .map((fault) => ({ line: lineOf(fault.path), fault }))
        .toSorted((a, b) => a.line - b.line)
        .slice(0, FAULTS_SHOWN_MAX)
        .map(({ line, fault }) => {
          const place = fault.path.length === 0 ? '' : `${fault.path.map(String).join('.')}: `
          return `line ${line}: ${place}${fault.sentence}`
        }),
  }
}

/** An alias bomb makes toJS throw; it is a fault of the text like any other. */
function tolerantValue(document: { toJS(): unknown }): unknown {
  try {
    return document.toJS()
  } catch (cause) {
    if (cause instanceof ReferenceError) return undefined
    throw cause
  }
}

/** What zod found, one fault for every place, the unknown keys each by name. */
export function zodFaults(error: z.ZodError): Fault[] {
  return error.issues.flatMap((issue): Fault[] => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: [...issue.path, key], sentence: 'there is no such field' }))
    }
    return [{ path: issue.path, sentence: issue.message }]
  })
}
