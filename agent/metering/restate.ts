import type { Epoch, RegisterEnd, UsageRecord } from '../../cloud-sync/contract/index.ts'
import type { Register } from './register.ts'

/** What a new stream epoch does to the registers. */
export interface Restated {
  /** The old ones, finished: nothing of them is left to report. */
  readonly retired: readonly Register[]
  /** Their successors in new generations, beginning at what the ledger had confirmed of the old ones as 0. */
  readonly born: readonly Register[]
  /** A record of the old epoch as it reads in the new generations. */
  reissue(registers: UsageRecord['registers'], q: number): RegisterEnd[]
}

interface Restating {
  /** A register's end in the last record the ledger has. */
  readonly confirmed: (register: Register) => bigint
  readonly firstId: number
  readonly epoch: Epoch
}

/** Hexadecimal digits of the epoch's name that set its generations apart: four bytes in a record, where they change. */
const APART_DIGITS = 7

/**
 * Begins new generations for a new stream epoch (decisions.md, Forks). A successor stands at what was not confirmed yet,
 * so ends sent again add up to exactly that. Pure.
 *
 * Their numbers are taken from the epoch's name: two copies of one database each leave the same epoch, and counting on
 * from there both would use the same next number. Whichever the operator then adopts behind the other would seem to the
 * ledger to go on with the other's register, and what it counted up to that register's end would never be posted.
 */
export function restate(registers: readonly Register[], { confirmed, firstId, epoch }: Restating): Restated {
  const latestGen = new Map<string, number>()
  for (const { meter, subject, gen } of registers) {
    const key = `${meter} ${subject}`
    latestGen.set(key, Math.max(latestGen.get(key) ?? 0, gen))
  }
  const apart = Number.parseInt(epoch.slice(0, APART_DIGITS), 16)
  const nextGen = new Map([...latestGen].map(([key, gen]) => [key, gen + 1 + apart]))
  const successors = new Map<string, { base: bigint; born: Register }>()
  let id = firstId
  for (const register of registers.toSorted((a, b) => a.gen - b.gen)) {
    const { meter, subject, gen } = register
    const key = `${meter} ${subject}`
    const base = confirmed(register)
    const isLatest = gen === latestGen.get(key)
    // Old generations that the ledger has whole need no successor; the latest goes on in any case.
    if (!isLatest && register.end === base) continue
    const newGen = nextGen.get(key) ?? 0
    nextGen.set(key, newGen + 1)
    const [end, reported] = [register.end - base, register.reported - base]
    successors.set(`${key} ${gen}`, { base, born: { ...register, id: id++, gen: newGen, end, reported } })
  }
  return {
    retired: registers.map((register) => ({ ...register, reported: register.end, q: 0 })),
    born: [...successors.values()].map(({ born }) => born),
    reissue: (ends, q) =>
      ends.flatMap((row) => {
        const successor = successors.get(`${row.meter} ${row.subject} ${row.gen}`)
        if (successor === undefined) return []
        return [{ ...row, gen: successor.born.gen, end: row.end - successor.base, q: row.q | q }]
      }),
  }
}
