import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { writeWhole } from './files.ts'

const FILE = 'ballast'
export const BALLAST_BYTES = 4 * 1024 * 1024

/**
 * Room kept for the worst day: on a disk that is 100 % full SQLite can neither delete nor checkpoint (reliability.md 0.8).
 * Thrown off, it gives just enough for that.
 */
export class Ballast {
  readonly #path: string
  readonly #bytes: number

  constructor(folder: string, bytes: number) {
    this.#path = join(folder, FILE)
    this.#bytes = bytes
  }

  isThere(): boolean {
    return statSync(this.#path, { throwIfNoEntry: false }) !== undefined
  }

  /** Takes the room again where at least three times as much is free; answers whether it is there. */
  restore(freeBytes: number): boolean {
    if (this.isThere()) return true
    if (freeBytes < 3 * this.#bytes) return false
    try {
      writeWhole(this.#path, Buffer.alloc(this.#bytes))
      return true
    } catch {
      // Someone else took the room meanwhile: the next look tries again.
      return false
    }
  }

  throwOff(): void {
    rmSync(this.#path, { force: true })
  }
}
