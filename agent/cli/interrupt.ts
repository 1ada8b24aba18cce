import type { Log } from '../log.ts'

/** Aborted by the first SIGTERM or Ctrl-C; a second one ends the process as usual. */
export function interrupted(): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      stop.abort()
    })
  }
  return stop.signal
}

/** Renews on each SIGHUP; certificates that cannot be used are logged, and those in use stay in use. */
export function renewOnHangup(renew: () => Promise<void>, log: Log): void {
  process.on('SIGHUP', () => {
    renew().then(
      () => {
        log.info('the certificates of the listeners were read again')
      },
      (error: unknown) => {
        log.error({ err: error }, 'a certificate cannot be used; the one that was in use stays in use')
      },
    )
  })
}
