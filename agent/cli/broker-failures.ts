const LISTEN_HINT = 'Give --listen a place that is free and that this user may use.'

const LISTEN_REASONS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not use that place (EACCES)',
  EADDRINUSE: 'another program listens there (EADDRINUSE)',
  EADDRNOTAVAIL: 'this machine has no such address (EADDRNOTAVAIL)',
}

/** The same error in the words of the command line: with the reason, and without a key of a configuration that is not there. */
export function listenFailure(error: unknown): unknown {
  if (!(error instanceof Error) || codeOf(error) !== 'BROKER_LISTEN_FAILED') return error
  const reason = LISTEN_REASONS[codeOf(error.cause)]
  const sentence = reason === undefined ? error.message : `${error.message}: ${reason}`
  return coded({ code: 'BROKER_LISTEN_FAILED', sentence, hint: LISTEN_HINT, cause: error })
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : ''

function coded(parts: {
  readonly code: string
  readonly sentence: string
  readonly hint: string
  readonly cause: unknown
}): Error {
  const { code, sentence, hint, cause } = parts
  return Object.assign(new Error(sentence, { cause }), { code, hint })
}
