import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Splits } from '../hardware/index.ts'
import { writeWhole } from './identity.ts'

const Kept = z.record(z.string(), z.array(z.string()))

/**
 * Which reads a device was found to refuse when they were joined. Learnt again within a poll or two where the file is lost,
 * so a file that cannot be read counts as empty.
 */
export class LearntSplits {
  readonly #path: string
  #splits: Splits

  constructor(dataDir: string) {
    this.#path = join(dataDir, 'splits.json')
    this.#splits = this.#read()
  }

  all(): Splits {
    return this.#splits
  }

  keep(device: string, channels: readonly string[]): void {
    this.#splits = { ...this.#splits, [device]: [...channels] }
    writeWhole(this.#path, JSON.stringify(this.#splits))
  }

  #read(): Splits {
    try {
      return Kept.parse(JSON.parse(readFileSync(this.#path, 'utf8')))
    } catch {
      return {}
    }
  }
}
