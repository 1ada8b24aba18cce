import type { Epoch, GatewayId, OrgId, RegisterEnd, SealedRecord } from '../../contract/index.ts'
import {
  type Db,
  type HeldStreams,
  type NewRegister,
  type RegisterPlace,
  standsAt,
  type StreamPosition,
} from '../storage/index.ts'
import { ancestorsOf } from './epochs.ts'

/** The largest end the ledger keeps: 64 bits with sign. */
export const REGISTER_END_MAX = 2n ** 63n - 1n

interface Batch {
  readonly gw: GatewayId
  readonly epoch: Epoch
  readonly records: readonly SealedRecord[]
}
interface Name {
  readonly meter: string
  readonly subject: string
  readonly gen: number
}
/** Ends by register of one epoch. */
type Stands = Map<string, bigint>

const nameOf = ({ meter, subject, gen }: Name): string => `${meter} ${subject} ${gen}`
const epochName = ({ gateway, epoch }: { gateway: string; epoch: string }): string => `${gateway} ${epoch}`

/** Where the registers stand that some batches name, as they move in a transaction. */
export class Registers {
  readonly #db: Db
  readonly #epochs = new Map<string, Stands>()
  readonly #moved = new Map<string, Map<string, NewRegister>>()

  private constructor(db: Db) {
    this.#db = db
  }

  /** Reads all that the batches name with one question. */
  static async load(db: Db, batches: readonly Batch[]): Promise<Registers> {
    const registers = new Registers(db)
    const places = new Map<string, RegisterPlace>()
    for (const { gw: gateway, epoch, records } of batches) {
      for (const { record } of records) {
        for (const { meter, subject, gen } of record.registers) {
          const place = { gateway, epoch, meter, subject, gen }
          places.set(`${epochName(place)} ${nameOf(place)}`, place)
        }
      }
    }
    for (const stand of await standsAt(db, [...places.values()])) {
      registers.#standsOf(stand).set(nameOf(stand), stand.end)
    }
    return registers
  }

  /**
   * A new epoch goes on where its parent stood: a register that keeps its generation is never billed from zero again.
   * Reads what the records name and the epoch itself has never had.
   */
  async inherit(
    position: StreamPosition,
    { streams, records }: { streams: HeldStreams; records: readonly SealedRecord[] },
  ): Promise<void> {
    if (position.parent === null) return
    const own = this.#standsOf(position)
    const missing = new Map<string, Name>()
    for (const { record } of records) {
      for (const register of record.registers) {
        if (!own.has(nameOf(register))) missing.set(nameOf(register), register)
      }
    }
    if (missing.size === 0) return
    const { gateway } = position
    const ancestors = ancestorsOf(streams, position)
    const places = ancestors.flatMap(({ epoch }) =>
      [...missing.values()].map(({ meter, subject, gen }) => ({ gateway, epoch, meter, subject, gen })),
    )
    const found = new Map(
      (await standsAt(this.#db, places)).map((stand) => [`${stand.epoch} ${nameOf(stand)}`, stand.end]),
    )
    for (const [name] of missing) {
      const nearest = ancestors.find(
        ({ epoch }) => this.#endIn(found, { gateway, epoch, name }) !== undefined,
      )
      if (nearest !== undefined)
        own.set(name, this.#endIn(found, { gateway, epoch: nearest.epoch, name }) ?? 0n)
    }
  }

  /** Where the register stands in the epoch; 0 where it is new. */
  endOf(position: StreamPosition, register: Name): bigint {
    return this.#standsOf(position).get(nameOf(register)) ?? 0n
  }

  move(position: StreamPosition, register: RegisterEnd, { org, seq }: { org: OrgId; seq: number }): void {
    const { gateway, epoch } = position
    const { meter, subject, gen, end } = register
    const name = nameOf(register)
    this.#standsOf(position).set(name, end)
    const rows = this.#moved.get(epochName(position)) ?? new Map<string, NewRegister>()
    this.#moved.set(epochName(position), rows)
    rows.set(name, { gateway, epoch, meter, subject, gen, org, end, seq })
  }

  /** Rows to write. */
  moved(): NewRegister[] {
    return [...this.#moved.values()].flatMap((rows) => [...rows.values()])
  }

  #standsOf(place: { gateway: string; epoch: string }): Stands {
    const known = this.#epochs.get(epochName(place))
    if (known !== undefined) return known
    const made: Stands = new Map()
    this.#epochs.set(epochName(place), made)
    return made
  }

  /** What moved in this transaction is not in the database yet. */
  #endIn(
    stored: ReadonlyMap<string, bigint>,
    { gateway, epoch, name }: { gateway: string; epoch: string; name: string },
  ): bigint | undefined {
    return this.#epochs.get(epochName({ gateway, epoch }))?.get(name) ?? stored.get(`${epoch} ${name}`)
  }
}
