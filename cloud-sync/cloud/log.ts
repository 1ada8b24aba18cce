import pino from 'pino'

/** The part of pino that the cloud uses; tests pass a silent one. */
export interface Log {
  info(detail: object, message: string): void
  warn(detail: object, message: string): void
  error(detail: object, message: string): void
}

/** Everything that could carry a secret is left out, wherever it stands. */
const REDACTED = [
  'password',
  'key',
  'token',
  'authorization',
  'headers.authorization',
  '*.password',
  '*.key',
  '*.token',
]

/** JSON lines to stderr: stdout belongs to the command's own answer. */
export function createLog(level = 'info'): Log {
  return pino({ level, base: null, redact: REDACTED }, pino.destination({ fd: 2, sync: true }))
}
