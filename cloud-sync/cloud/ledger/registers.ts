import type { Epoch, OrgId, RegisterEnd } from '../../contract/index.ts'
import {
  type Db,
  findStream,
  type NewRegister,
  type RegisterStand,
  registersOf,
  type StreamPosition,
} from '../storage/index.ts'

/** The largest end the ledger keeps: 64 bits with sign. */
export const REGISTER_END_MAX = 2n ** 63n - 1n
/** Epochs walked back to find where a register stood. */
const ANCESTORS_MAX = 1_000

/** Posted registers of one epoch, as they move in a transaction. */
export interface Registers {
  /** Where the register stands; 0 where it is new. */
  endOf(register: RegisterEnd): bigint
  move(register: RegisterEnd, by: { org: OrgId; seq: number }): void
  /** Rows to write. */
  moved(): NewRegister[]
}

/**
 * Loads the registers of a stream. A new epoch goes on where its parent stood: a register that keeps its generation is
 * never billed from zero again.
 */
export async function loadRegisters(db: Db, position: StreamPosition): Promise<Registers> {
  const stands = new Map<string, bigint>()
  for (const stand of await registersOf(db, position)) stands.set(nameOf(stand), stand.end)
  for (const stand of await inherited(db, position)) {
    if (!stands.has(nameOf(stand))) stands.set(nameOf(stand), stand.end)
  }
  const rows = new Map<string, NewRegister>()
  const { gateway, epoch } = position
  return {
    endOf: (register) => stands.get(nameOf(register)) ?? 0n,
    move(register, { org, seq }) {
      const { meter, subject, gen, end } = register
      stands.set(nameOf(register), end)
      rows.set(nameOf(register), { gateway, epoch, meter, subject, gen, org, end, seq })
    },
    moved: () => [...rows.values()],
  }
}

const nameOf = (register: { meter: string; subject: string; gen: number }): string =>
  `${register.meter} ${register.subject} ${register.gen}`

/** Registers of the epochs before, the nearest first. */
async function inherited(db: Db, position: StreamPosition): Promise<RegisterStand[]> {
  const stands: RegisterStand[] = []
  let parent: Epoch | null = position.parent
  for (let walked = 0; parent !== null && walked < ANCESTORS_MAX; walked += 1) {
    const ancestor: StreamPosition | undefined = await findStream(db, { ...position, epoch: parent })
    if (ancestor === undefined) break
    stands.push(...(await registersOf(db, ancestor)))
    parent = ancestor.parent
  }
  return stands
}
