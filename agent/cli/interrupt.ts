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
