import { z } from 'zod'
import type { BudgetUse } from './budget.ts'
import { type LinkMemory, NO_MEMORY } from './register.ts'

const amount = z
  .string()
  .regex(/^\d{1,30}$/)
  .transform(BigInt)
const bootId = z.string().max(64)
const Mark = z.strictObject({
  bootId,
  ifindex: z.int().min(0),
  sim: z.string().max(64).nullable(),
  rx: amount,
  tx: amount,
  monoMs: z.number(),
  gen: z.int().min(0),
  owed: z.strictObject({ partial: z.boolean(), reset: z.boolean() }),
})
const Kept = z.strictObject({
  v: z.literal(1),
  scanned: z.strictObject({ bootId, topIfindex: z.int() }).nullable(),
  marks: z.array(z.tuple([z.string().max(64), Mark])),
  uses: z.array(
    z.tuple([z.string().max(64), z.strictObject({ period: z.string().nullable(), used: amount })]),
  ),
})

/** What the meter of cellular links remembers over a restart. */
export interface CellularMemory {
  readonly links: LinkMemory
  /** By subject of the link. */
  readonly uses: ReadonlyMap<string, BudgetUse>
}

/** As JSON; amounts are decimal strings, they may pass 2^53. */
export function kept({ links, uses }: CellularMemory): unknown {
  return {
    v: 1,
    scanned: links.scanned,
    marks: [...links.marks].map(([iface, mark]) => [
      iface,
      { ...mark, rx: mark.rx.toString(), tx: mark.tx.toString() },
    ]),
    uses: [...uses].map(([subject, { period, used }]) => [subject, { period, used: used.toString() }]),
  }
}

/** @param stored undefined on a gateway where nothing was kept. @throws ZodError for what `kept` did not write */
export function remembered(stored: unknown): CellularMemory {
  if (stored === undefined) return { links: NO_MEMORY, uses: new Map() }
  const { scanned, marks, uses } = Kept.parse(stored)
  return { links: { scanned, marks: new Map(marks) }, uses: new Map(uses) }
}
