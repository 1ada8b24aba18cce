import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { writeWhole } from '../identity.ts'
import { lockMsAfter } from './lockout.ts'

/** Beside the database, so that a restored one brings back neither an old code nor free tries. */
const GUARD_FILE = 'claim-guard'

const Guarded = z.strictObject({
  /** The highest claim counter and code generation that were ever in use. */
  counter: z.int().min(0).default(0),
  generation: z.int().min(0).default(0),
  /** Wrong proofs since the last right one. */
  failures: z.int().min(0).default(0),
})
type Guarded = z.infer<typeof Guarded>

/** What must not be forgotten: counted before it is used, on the disk before anything is compared. */
export class ClaimGuard {
  readonly #path: string
  readonly #monoMs: () => number
  #kept: Guarded
  /** Monotonic; a start counts as a wrong try just made, so that a reboot shortens no lock. */
  #failedAtMs: number

  /** @param monoMs monotonic, ms */
  constructor(dataDir: string, monoMs: () => number) {
    this.#path = join(dataDir, GUARD_FILE)
    this.#monoMs = monoMs
    this.#kept = existsSync(this.#path) ? readGuarded(this.#path) : Guarded.parse({})
    this.#failedAtMs = monoMs()
  }

  get counter(): number {
    return this.#kept.counter
  }

  get generation(): number {
    return this.#kept.generation
  }

  /** Milliseconds during which nobody may try; 0 = now. */
  lockedMs(): number {
    return Math.max(0, this.#failedAtMs + lockMsAfter(this.#kept.failures) - this.#monoMs())
  }

  /** Counts a try as a wrong one before it is looked at: pulling the plug does not win another. */
  tried(): void {
    this.#keep({ failures: this.#kept.failures + 1 })
    this.#failedAtMs = this.#monoMs()
  }

  /** What it turned out to be, written in either case. */
  judged(isProven: boolean): void {
    this.#keep(isProven ? { failures: 0 } : {})
  }

  /** Promises that neither is ever in use again. */
  reached(at: { readonly counter?: number; readonly generation?: number }): void {
    const counter = Math.max(this.counter, at.counter ?? 0)
    const generation = Math.max(this.generation, at.generation ?? 0)
    if (counter !== this.counter || generation !== this.generation) this.#keep({ counter, generation })
  }

  #keep(changed: Partial<Guarded>): void {
    const kept = { ...this.#kept, ...changed }
    writeWhole(this.#path, `${JSON.stringify(kept)}\n`)
    this.#kept = kept
  }
}

/** A file that cannot be read any more locks: whoever damaged it shall not have won tries by it. */
function readGuarded(path: string): Guarded {
  try {
    return Guarded.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return { counter: 0, generation: 0, failures: DAMAGED_FAILURES }
  }
}
const DAMAGED_FAILURES = 10
