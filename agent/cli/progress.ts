import { processTerminal, type Terminal } from './output.ts'

/** What a command says while it works, on standard error. */
export interface Progress {
  /** Where it is: replaces what was shown before. On what is no terminal, nothing: a log would fill up. */
  show(text: string): void
  /** Something to keep: a line of its own. */
  note(text: string): void
  /** Takes away what `show` left. */
  end(): void
}

const ERASE_LINE = '\r\u001b[2K'
const COLUMNS_USUAL = 80

export function createProgress(
  terminal: Terminal = processTerminal,
  how: { readonly live: boolean; readonly columns: number } = {
    live: process.stderr.isTTY,
    columns: process.stderr.columns || COLUMNS_USUAL,
  },
): Progress {
  let shown = ''
  const erase = (): void => {
    if (shown !== '') terminal.err(ERASE_LINE)
    shown = ''
  }
  return {
    show(text) {
      if (!how.live) return
      erase()
      // A line that wraps could not be taken back.
      shown = text.slice(0, how.columns - 1)
      terminal.err(shown)
    },
    note(text) {
      const before = shown
      erase()
      terminal.err(`${text}\n`)
      if (before !== '') this.show(before)
    },
    end: erase,
  }
}
