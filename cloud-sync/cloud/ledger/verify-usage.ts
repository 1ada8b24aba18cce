import { isDeepStrictEqual } from 'node:util'
import { type Hash, type UsageRecord, ZERO_HASH } from '../../contract/index.ts'
import { decodeRecord, sha256 } from '../../codec/index.ts'
import { type DayLabel, type Movement, Registers, type Sums } from '../../evidence/index.ts'
import {
  type Db,
  labelsOf,
  lossesOf,
  monthOf,
  type PostedRow,
  postedRows,
  recordsOf,
  registersOf,
  type StreamPosition,
  type UsageLoss,
  type UsageRecordRow,
} from '../storage/index.ts'

/** Records whose postings are read at once. */
const PAGE_RECORDS = 500

/**
 * What can be wrong with usage: `bytes`: a column says something else than the record, or it cannot be read; `posting`:
 * what the ledger has posted is not what the record moved; `label`: the day it gives an undated record; `received`: when
 * it says that it came.
 */
export type UsageFault =
  | 'hash'
  | 'bytes'
  | 'seq'
  | 'prev'
  | 'head'
  | 'register'
  | 'posting'
  | 'label'
  | 'received'

type Found = { readonly seq: number; readonly because: UsageFault } | undefined

/** Where a register must stand in the ledger's own table. */
interface Stand {
  readonly end: bigint
  readonly org: string
  readonly seq: number
}

/** One epoch as it is recomputed from the stored bytes. */
export class UsageWalk {
  readonly registers: Registers
  records = 0
  /** Stretches of numbers that were booked as lost, and lie where the ledger goes on behind them. */
  readonly losses: UsageLoss[] = []
  readonly #position: StreamPosition
  readonly #sums: Sums
  #head: Hash = ZERO_HASH
  #last = 0
  #booked: readonly UsageLoss[] = []
  readonly #stands = new Map<string, Stand>()
  readonly #labels: Awaited<ReturnType<typeof labelsOf>> = []

  constructor(position: StreamPosition, { sums, parent }: { sums: Sums; parent: UsageWalk | undefined }) {
    this.#position = position
    this.#sums = sums
    this.registers = new Registers(parent?.registers)
  }

  /** The first thing that is wrong. */
  async run(db: Db): Promise<Found> {
    this.#booked = await lossesOf(db, this.#position)
    let page: UsageRecordRow[] = []
    for await (const row of recordsOf(db, this.#position)) {
      page.push(row)
      if (page.length < PAGE_RECORDS) continue
      const found = await this.#takePage(db, page)
      if (found !== undefined) return found
      page = []
    }
    return (await this.#takePage(db, page)) ?? this.#end(db)
  }

  async #takePage(db: Db, rows: readonly UsageRecordRow[]): Promise<Found> {
    const [first, last] = [rows[0]?.seq, rows.at(-1)?.seq]
    if (first === undefined || last === undefined) return undefined
    const posted = new Map<number, PostedRow[]>()
    for (const row of await postedRows(db, this.#position, { first, last })) {
      posted.set(row.seq, [...(posted.get(row.seq) ?? []), row])
    }
    for (const row of rows) {
      this.records += 1
      const because = this.#take(row, posted.get(row.seq) ?? [])
      if (because !== undefined) return { seq: row.seq, because }
      posted.delete(row.seq)
    }
    const [stray] = posted.keys()
    return stray === undefined ? undefined : { seq: stray, because: 'posting' }
  }

  #take(row: UsageRecordRow, posted: readonly PostedRow[]): UsageFault | undefined {
    if (row.seq !== this.#last + 1 && !this.#goesOnAt(row.seq)) return 'seq'
    if (sha256(row.bytes) !== row.hash) return 'hash'
    const record = readable(row.bytes)
    if (record === undefined || !isRowOf(row, record, this.#position)) return 'bytes'
    if (record.prev !== this.#head) return 'prev'
    if (row.month !== monthOf(row.received_at)) return 'received'
    const moved = this.registers.move(record)
    if (typeof moved === 'string') return 'register'
    if (!arePosted(moved, posted, row.month)) return 'posting'
    this.#note(record, { label: this.#sums.add(record, moved), row })
    this.#head = row.hash as Hash
    this.#last = row.seq
    return undefined
  }

  /** Whether all between was booked as lost; its row says how the chain went on. */
  #goesOnAt(seq: number): boolean {
    const loss = this.#booked.find(({ first, last }) => first === this.#last + 1 && last === seq - 1)
    if (loss === undefined) return false
    this.losses.push(loss)
    this.#head = loss.prev
    return true
  }

  #note(
    { org, seq, registers }: UsageRecord,
    { label, row: { received_at, posted } }: { label: DayLabel | undefined; row: UsageRecordRow },
  ): void {
    for (const { meter, subject, gen, end } of registers) {
      this.#stands.set(`${meter} ${subject} ${gen}`, { end, org, seq })
    }
    if (label === undefined) return
    const { epoch: of_epoch, seq: corrects, day, share } = label
    const share_of = { share_from: share.from, share_to: share.to, share_of: share.of }
    this.#labels.push({ seq, of_epoch, corrects, day, ...share_of, received_at, posted })
  }

  async #end(db: Db): Promise<Found> {
    const { head, upTo } = this.#position
    const seq = this.#last
    if (head !== this.#head || upTo !== seq) return { seq, because: 'head' }
    const stray = this.#booked.find((loss) => !this.losses.includes(loss))
    if (stray !== undefined) return { seq: stray.first, because: 'seq' }
    const labels = await labelsOf(db, this.#position)
    const wrong = Array.from({ length: Math.max(labels.length, this.#labels.length) }, (_, n) => n).find(
      (index) => !isDeepStrictEqual({ ...labels[index] }, this.#labels[index]),
    )
    if (wrong !== undefined) return { seq: labels[wrong]?.seq ?? seq, because: 'label' }
    return (await this.#areStanding(db)) ? undefined : { seq, because: 'register' }
  }

  async #areStanding(db: Db): Promise<boolean> {
    const rows = await registersOf(db, this.#position)
    const isSame = rows.every(({ meter, subject, gen, end, org, seq }) => {
      const stand = this.#stands.get(`${meter} ${subject} ${gen}`)
      return stand?.end === end && stand.org === org && stand.seq === seq
    })
    return isSame && rows.length === this.#stands.size
  }
}

function isRowOf(row: UsageRecordRow, record: UsageRecord, { gateway, epoch }: StreamPosition): boolean {
  const { kind, org, prev, seq, time, src } = record
  const isHere = record.gw === gateway && record.epoch === epoch && seq === row.seq && prev === row.prev
  const isSame = kind === row.kind && org === row.org && time.day === row.day
  return isHere && isSame && time.wallEnd === row.wall_end && (src?.mccmnc ?? null) === row.network
}

/** Whether exactly these movements are posted. */
function arePosted(moved: readonly Movement[], posted: readonly PostedRow[], month: number): boolean {
  const left = new Map(posted.map((row) => [`${row.meter} ${row.subject} ${row.gen}`, row]))
  const isThere = moved.every(({ register, by }) => {
    const { meter, subject, gen, custodian, workspace, billable, q } = register
    const row = left.get(`${meter} ${subject} ${gen}`)
    const isPaid = row?.custodian === custodian && row.workspace === workspace && row.q === q
    return (
      isPaid && row.quantity === by.toString() && row.billable === Number(billable) && row.month === month
    )
  })
  return isThere && moved.length === posted.length
}

function readable(bytes: Uint8Array): UsageRecord | undefined {
  try {
    return decodeRecord(bytes)
  } catch {
    // The decoder throws for any bytes it did not write, and that is the finding.
    return undefined
  }
}
