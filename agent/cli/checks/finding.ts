/** What one look at one thing came to. */
export interface Finding {
  /** Kind of look, e.g. `data folder`. */
  readonly check: string
  /** What was looked at. */
  readonly subject: string
  readonly state: 'ok' | 'warn' | 'fail'
  readonly message: string
  /** What to do; null where nothing is to be done. */
  readonly hint: string | null
}

export interface Look {
  readonly check: string
  readonly subject: string
}

export const ok = (look: Look, message: string): Finding => ({ ...look, state: 'ok', message, hint: null })
export const warn = (look: Look, message: string, hint: string): Finding => ({
  ...look,
  state: 'warn',
  message,
  hint,
})
export const fail = (look: Look, message: string, hint: string): Finding => ({
  ...look,
  state: 'fail',
  message,
  hint,
})

/** The system's own word for what went wrong, e.g. EACCES. */
export const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return (error as NodeJS.ErrnoException).code ?? error.message
}
