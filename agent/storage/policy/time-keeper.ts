import type { Database } from 'better-sqlite3'
import { z } from 'zod'
import { type KeptPolicyTime, POLICY_TIME_KEPT_EVERY_MS, PolicyTime } from '../../clock/index.ts'
import { readMeta, writeMeta } from '../meta.ts'
import type { Participant } from '../writer.ts'

const KEY = 'policy_time'
const Kept = z.strictObject({
  at: z.number(),
  monoMs: z.number(),
  bootId: z.string(),
  signed: z.boolean(),
  runningMs: z.number().min(0),
})

/** Policy time from the last run, and into the next. */
export class PolicyTimeKeeper implements Participant {
  readonly name = 'policy time'
  readonly time: PolicyTime
  readonly #monoMs: () => number
  #keptAt = -Infinity

  constructor(database: Database, { bootId, monoMs }: { bootId: string; monoMs: () => number }) {
    const read = Kept.safeParse(readMeta(database, KEY))
    const kept: KeptPolicyTime | null = read.success ? read.data : null
    this.time = new PolicyTime({ bootId, monoMs, kept })
    this.#monoMs = monoMs
  }

  keepAtNextCommit(): void {
    this.#keptAt = -Infinity
  }

  write(database: Database): (() => void) | undefined {
    const now = this.#monoMs()
    if (now - this.#keptAt < POLICY_TIME_KEPT_EVERY_MS) return undefined
    writeMeta(database, KEY, this.time.keep())
    return () => {
      this.#keptAt = now
    }
  }
}
