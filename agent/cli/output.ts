import { AgentError } from '../errors.ts'
import { toJson } from '../json.ts'

/** What a command answers: the same facts for a program and for a person. */
export interface Answer {
  readonly json: unknown
  readonly text: string
  /** 1 where the command ran but what it checked does not hold. */
  readonly exit?: 0 | 1
}

/** Where a command prints; arguments, so that tests can read them. */
export interface Terminal {
  out(text: string): void
  err(text: string): void
}

export const processTerminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
}

interface Coded {
  readonly code: string
  readonly message: string
  readonly hint: string
}

function isCoded(error: unknown): error is Coded {
  if (!(error instanceof Error) || !('code' in error) || !('hint' in error)) return false
  return typeof error.code === 'string' && typeof error.hint === 'string'
}

/** Any error as `CODE`, sentence and hint; one without a code is a fault of ours and says so. */
export function codedOf(error: unknown): Coded {
  if (isCoded(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  return new AgentError('INTERNAL', message, { cause: error })
}

/** `CODE: sentence. hint` with exactly one full stop between; after several lines the hint is a line of its own. */
export function errorLine(error: unknown): string {
  const { code, message, hint } = codedOf(error)
  if (message.trim().includes('\n')) return `${code}: ${message.trimEnd()}\n${hint}`
  return `${code}: ${message.replace(/[.\s]+$/, '')}. ${hint}`
}

/** Runs a command, prints its answer or its error, and gives the exit code: 0, 1 (did not work) or 2 (called wrongly). */
export async function runAnswer(
  terminal: Terminal,
  json: boolean,
  command: () => Promise<Answer>,
): Promise<0 | 1 | 2> {
  try {
    const answer = await command()
    terminal.out(
      json ? `${toJson(answer.json)}\n` : answer.text.endsWith('\n') ? answer.text : `${answer.text}\n`,
    )
    return answer.exit ?? 0
  } catch (error) {
    const { code, message, hint } = codedOf(error)
    if (json) terminal.out(`${toJson({ error: { code, message, hint } })}\n`)
    else terminal.err(`${errorLine(error)}\n`)
    return code === 'USAGE' ? 2 : 1
  }
}

/** Columns aligned by spaces; numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [head.map(String), ...rows.map((row) => row.map(String))]
  const widths = head.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)))
  const right = head.map(
    (_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'),
  )
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        right[column] === true ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd()
  return cells.map(line).join('\n')
}
