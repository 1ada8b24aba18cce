import type { Epoch, GatewayId, SealedRecord, UsageRecord } from '../../contract/index.ts'
import {
  type Db,
  type HeldStreams,
  type RegisterRow,
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
  readonly meter: string
  readonly row: Row
  /** Undefined where the epoch never had it. */
  end: bigint | undefined
  /** For whom and by which record it moved last; undefined where it never did in this epoch. */
  by: { readonly org: string; readonly seq: number } | undefined
}

/** All registers of one subject and generation. */
interface Row {
  readonly place: Omit<RegisterRow, 'stands'>
  /** It has a row in the database. */
  isThere: boolean
  isMoved: boolean
  /** One a meter. */
  readonly stands: Stand[]
}

/** Rows of one gateway's epoch by subject and generation. */
type Rows = Map<string, Row>
const streamName = ({ gateway, epoch }: { gateway: string; epoch: string }): string => `${gateway} ${epoch}`
const rowName = ({ subject, gen }: { subject: string; gen: number }): string => `${gen} ${subject}`

/** Where the registers stand that some batches name. */
export class Registers {
  readonly #db: Db
  readonly #streams = new Map<string, Rows>()
  /** The stands of each record that came, in the order of its registers: found by name once. */
  readonly #of = new Map<UsageRecord, readonly Stand[]>()

  private constructor(db: Db) {
    this.#db = db
  }

  /** Reads all that the batches name with one question. */
  static async load(db: Db, batches: readonly Batch[]): Promise<Registers> {
    const registers = new Registers(db)
    for (const { gw: gateway, epoch, records } of batches) {
      const rows = registers.#rowsOf({ gateway, epoch })
      for (const { record } of records) registers.#of.set(record, standsOf(record, rows))
    }
    const places = [...registers.#streams.values()].flatMap((rows) =>
      [...rows.values()].map(({ place }) => place),
    )
    for (const { stands, ...place } of await standsAt(db, places)) {
      const row = rowOf(registers.#rowsOf(place), place)
      row.isThere = true
      for (const { meter, end, org, seq } of stands) {
        const stand = standOf(row, meter)
        stand.end = end
        stand.by = { org, seq }
      }
    }
    return registers
  }

  /** The stand of each register of a record that was in a batch. */
  of(record: UsageRecord): readonly Stand[] {
    const stands = this.#of.get(record)
    if (stands === undefined) throw new Error('a record of no batch')
    return stands
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
    const named = records.flatMap(({ record }) => this.of(record))
    const missing = [...new Set(named)].filter(({ end }) => end === undefined)
    if (missing.length === 0) return
    const ancestors = ancestorsOf(streams, position)
    const rows = [...new Set(missing.map(({ row }) => row))]
    const places = ancestors.flatMap(({ epoch }) => rows.map(({ place }) => ({ ...place, epoch })))
    const stored = new Map<string, bigint>()
    for (const { stands, ...place } of await standsAt(this.#db, places))
      for (const { meter, end } of stands) stored.set(`${place.epoch} ${rowName(place)} ${meter}`, end)
    for (const stand of missing) {
      const { place } = stand.row
      const name = rowName(place)
      for (const { epoch } of ancestors) {
        // What moved in this transaction is not in the database yet.
        const held = this.#streams
          .get(streamName({ ...place, epoch }))
          ?.get(name)
          ?.stands.find(({ meter }) => meter === stand.meter)
        stand.end ??= held?.end ?? stored.get(`${epoch} ${name} ${stand.meter}`)
      }
    }
  }

  /** Rows to write. */
  moved(): { readonly row: RegisterRow; readonly isThere: boolean }[] {
    return [...this.#streams.values()].flatMap((rows) =>
      [...rows.values()]
        .filter(({ isMoved }) => isMoved)
        .map(({ place, isThere, stands }) => ({ isThere, row: { ...place, stands: storedOf(stands) } })),
    )
  }

  #rowsOf(stream: { readonly gateway: string; readonly epoch: string }): Rows {
    const name = streamName(stream)
    const known = this.#streams.get(name)
    if (known !== undefined) return known
    const made: Rows = new Map()
    this.#streams.set(name, made)
    return made
  }
}

/** A record has moved the register there. */
export function moveTo(stand: Stand, { end, record }: { end: bigint; record: UsageRecord }): void {
  stand.end = end
  stand.by = { org: record.org, seq: record.seq }
  stand.row.isMoved = true
}

function standsOf({ gw: gateway, epoch, registers }: UsageRecord, rows: Rows): Stand[] {
  let row: Row | undefined
  return registers.map(({ subject, gen, meter }) => {
    // The registers of a subject stand together in a record.
    if (row?.place.subject !== subject || row.place.gen !== gen)
      row = rowOf(rows, { gateway, epoch, subject, gen })
    return standOf(row, meter)
  })
}

function rowOf(rows: Rows, { gateway, epoch, subject, gen }: Row['place']): Row {
  const name = rowName({ subject, gen })
  const known = rows.get(name)
  if (known !== undefined) return known
  const place = { gateway, epoch, subject, gen }
  const made: Row = { place, isThere: false, isMoved: false, stands: [] }
  rows.set(name, made)
  return made
}

function standOf(row: Row, meter: string): Stand {
  const known = row.stands.find((stand) => stand.meter === meter)
  if (known !== undefined) return known
  const made = { meter, row, end: undefined, by: undefined }
  row.stands.push(made)
  return made
}

/** What was only looked for, or stands in an epoch before, is not of this row. */
const storedOf = (stands: readonly Stand[]): RegisterRow['stands'] =>
  stands.flatMap(({ meter, end, by }) =>
    by === undefined || end === undefined ? [] : [{ meter, end, org: by.org, seq: by.seq }],
  )
