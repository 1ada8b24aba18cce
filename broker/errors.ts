/** Every error code of the broker with its hint; docs/errors.md explains each, a test compares. */
export const BROKER_ERRORS = {
  BROKER_LISTEN_FAILED: 'Another program may hold the place; choose another in `broker.listen`.',
  BROKER_METRICS_LISTEN_FAILED: 'Give HOST:PORT with a port that no other program holds.',
  BROKER_LISTENER_INVALID:
    'Use tcp://, tls://, ws:// or wss://HOST:PORT, or unix:/PATH; see docs/configuration.md.',
  BROKER_TLS_INVALID: 'Give PEM files that this user may read; `key` must belong to `cert`.',
  BROKER_STORE_FAILED:
    'The disk or the file system failed; the file is checked at the next start. See the log for the cause.',
  BROKER_STORE_FULL: 'Free space on the disk.',
  BROKER_STORE_LOCKED: 'Another broker runs on this data folder.',
  BROKER_STORE_NEWER: 'Install the version that wrote this database, or a newer one.',
  BROKER_STORE_UNSAFE:
    'The database is not in synchronous=FULL; this is a fault of the build, please report it.',
  BROKER_STORE_UNUSABLE: 'Give a folder that this user may write to.',
} as const
export type BrokerErrorCode = keyof typeof BROKER_ERRORS

/** A failure of the broker; prints as `CODE: sentence. hint`. */
export class BrokerError extends Error {
  readonly code: BrokerErrorCode
  readonly hint: string
  constructor(code: BrokerErrorCode, sentence: string, options?: ErrorOptions) {
    super(sentence, options)
    this.name = 'BrokerError'
    this.code = code
    this.hint = BROKER_ERRORS[code]
  }
}
