import pino, { type Logger } from 'pino'
import { RepeatLimit } from './log-repeats.ts'
import { blankSecrets, scrub } from './log-scrub.ts'
import { systemTicker } from './schedule/ticker.ts'

/** No `child`: what a child is bound to would be written unseen. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>

export interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** Where lines go; default: standard error, written at once so that the last line before a crash is there. */
  readonly write?: (line: string) => void
  /** Monotonic milliseconds. */
  readonly now?: () => number
}

/**
 * The gateway's log: one JSON object a line. Secrets are blanked by the name of their field and by their look, in
 * every depth, in messages and errors too. A line that repeats is written a few times a minute and counted after.
 */
export function createLog({ level, write, now = systemTicker.now.bind(systemTicker) }: LogOptions): Log {
  const repeats = new RepeatLimit(now)
  const options: pino.LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: {
      level: (label) => ({ level: label }),
      log: (detail) => scrub(detail) as Record<string, unknown>,
    },
    // Errors are told by `scrub`, with their causes: pino's own serializer would come after it and undo it.
    serializers: { err: (error: unknown) => error },
    hooks: {
      logMethod(args, method, number) {
        const { detail, message } = lineOf(args)
        const seen = repeats.admit({ level: number, message, detail })
        if (!seen.admitted) return
        method.apply(this, [seen.withheld === 0 ? detail : { ...detail, withheld: seen.withheld }, message])
      },
    },
  }
  return pino(options, write === undefined ? pino.destination({ dest: 2, sync: true }) : { write })
}

/** The ways to call a log method: (text), (error), (error, text), (detail, text). */
function lineOf([first, second]: readonly unknown[]): { detail: object; message: string } {
  if (typeof first === 'string') return { detail: {}, message: blankSecrets(first) }
  const said = typeof second === 'string' ? blankSecrets(second) : ''
  if (first instanceof Error)
    return { detail: { err: first }, message: said === '' ? blankSecrets(first.message) : said }
  return { detail: typeof first === 'object' && first !== null ? first : {}, message: said }
}
