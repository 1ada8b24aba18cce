import type { Epoch, GatewayId, RegisterEnd, SealedRecord, UsageRecord } from '../../contract/index.ts'
import {
  type Db,
  type HeldStreams,
  type MovedRegister,
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

/** One register of one epoch, as it moves in a transaction. */
export interface Stand {
  readonly place: RegisterPlace
  /** It has a row in the database. */
  isThere: boolean
  /** Undefined where the epoch never had it. */
  end: bigint | undefined
  /** The record that moved it in this transaction. */
  movedBy: UsageRecord | undefined
}

const nameOf = ({ gateway, epoch, meter, subject, gen }: RegisterPlace): string =>
  `${gateway} ${epoch} ${meter} ${subject} ${gen}`

/** Where the registers stand that some batches name. */
export class Registers {
  readonly #db: Db
  readonly #stands = new Map<string, Stand>()
  /** Each register end that came, with its stand: found by name once. */
  readonly #of = new Map<RegisterEnd, Stand>()

  private constructor(db: Db) {
    this.#db = db
  }

  /** Reads all that the batches name with one question. */
  static async load(db: Db, batches: readonly Batch[]): Promise<Registers> {
    const registers = new Registers(db)
    for (const { gw: gateway, epoch, records } of batches) {
      for (const { record } of records) {
        for (const register of record.registers) {
          const { meter, subject, gen } = register
          registers.#of.set(register, registers.#standOf({ gateway, epoch, meter, subject, gen }))
        }
      }
    }
    const places = [...registers.#stands.values()].map(({ place }) => place)
    for (const { end, ...place } of await standsAt(db, places))
      Object.assign(registers.#standOf(place), { end, isThere: true })
    return registers
  }

  /** The stand of a register end that was in a batch. */
  of(register: RegisterEnd): Stand {
    const stand = this.#of.get(register)
    if (stand === undefined) throw new Error('a register of no batch')
    return stand
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
    const named = records.flatMap(({ record }) => record.registers.map((register) => this.of(register)))
    const missing = [...new Set(named)].filter(({ end }) => end === undefined)
    if (missing.length === 0) return
    const ancestors = ancestorsOf(streams, position)
    const places = ancestors.flatMap(({ epoch }) => missing.map(({ place }) => ({ ...place, epoch })))
    const stored = new Map((await standsAt(this.#db, places)).map((stand) => [nameOf(stand), stand.end]))
    for (const stand of missing) {
      for (const { epoch } of ancestors) {
        const name = nameOf({ ...stand.place, epoch })
        // What moved in this transaction is not in the database yet.
        stand.end ??= this.#stands.get(name)?.end ?? stored.get(name)
      }
    }
  }

  /** Rows to write. */
  moved(): MovedRegister[] {
    return [...this.#stands.values()].flatMap(({ place, end, movedBy, isThere }) =>
      movedBy === undefined || end === undefined
        ? []
        : [{ isThere, row: { ...place, org: movedBy.org, end, seq: movedBy.seq } }],
    )
  }

  #standOf(place: RegisterPlace): Stand {
    const name = nameOf(place)
    const known = this.#stands.get(name)
    if (known !== undefined) return known
    const made: Stand = { place, isThere: false, end: undefined, movedBy: undefined }
    this.#stands.set(name, made)
    return made
  }
}
