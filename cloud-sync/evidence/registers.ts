import type { RegisterEnd, UsageRecord } from '../contract/index.ts'

/** The largest end the ledger takes: 64 bits with sign. */
const END_MAX = 2n ** 63n - 1n

const nameOf = ({ meter, subject, gen }: RegisterEnd): string => `${meter} ${subject} ${gen}`

/** What one record added to one register. */
export interface Movement {
  readonly register: RegisterEnd
  readonly by: bigint
}

/** Where the registers of one epoch stand. A register that an epoch does not name stands where the parent's stood. */
export class Registers {
  readonly #parent: Registers | undefined
  readonly #ends = new Map<string, bigint>()

  constructor(parent?: Registers) {
    this.#parent = parent
  }

  /** Moves every register of the record; a sentence where one may not stand as it does, and then nothing has moved. */
  move(record: UsageRecord): readonly Movement[] | string {
    const ends = new Map<string, bigint>()
    const movements: Movement[] = []
    for (const register of record.registers) {
      const name = nameOf(register)
      const start = this.#endOf(name)
      if (ends.has(name)) return `${name} stands twice`
      if (register.end < start) return `${name} goes back from ${start} to ${register.end}`
      if (register.end > END_MAX) return `${name} passes 2^63 - 1`
      ends.set(name, register.end)
      if (register.end > start) movements.push({ register, by: register.end - start })
    }
    for (const [name, end] of ends) this.#ends.set(name, end)
    return movements
  }

  #endOf(name: string): bigint {
    const end = this.#ends.get(name)
    if (end !== undefined) return end
    return this.#parent === undefined ? 0n : this.#parent.#endOf(name)
  }
}
