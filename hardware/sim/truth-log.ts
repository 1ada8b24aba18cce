import { closeSync, openSync, writeSync } from 'node:fs'

/** One answer that left a simulated device. */
export interface Truth {
  readonly device: string
  /** Counts the device's answers from 1; the value that the answer carried. */
  readonly counter: number
  /** When its last byte had left, wall clock, epoch ms. */
  readonly at: number
  /** False where it was damaged, late or cut off: a master may or may not have it, but never twice. */
  readonly clean: boolean
}

export interface TruthLog {
  /** In the file when it returns, so that it survives the end of any process. */
  append(truth: Truth): void
  close(): void
}

/** Appends one JSON object a line; several simulators may share a file. */
export function openTruthLog(path: string): TruthLog {
  const file = openSync(path, 'a', 0o600)
  return {
    append(truth) {
      // One write of a short line with O_APPEND is never torn by another process's.
      writeSync(file, `${JSON.stringify(truth)}\n`)
    },
    close() {
      closeSync(file)
    },
  }
}
