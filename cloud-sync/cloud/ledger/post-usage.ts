import {
  type Epoch,
  type GatewayId,
  type Hash,
  type RegisterEnd,
  type SealedRecord,
  type UsageRecord,
} from '../../contract/index.ts'
import { verifyChain } from '../../codec/index.ts'
import {
  appendUsage,
  type Db,
  type HeldStreams,
  monthOf,
  type NewPostings,
  type NewUsage,
  recordHashes,
  type StreamPosition,
} from '../storage/index.ts'
import { agrees } from './completeness.ts'
import { labelBy, type RecordName } from './labels.ts'
import { moveTo, REGISTER_END_MAX, Registers, type Stand } from './registers.ts'

/** The ledger's answer to records that should follow what is posted. */
export type Posted =
  | { readonly ok: true; readonly head: Hash }
  /** `fork`: not the successor. `conflict`: a register would go back, or stands twice in one record. */
  | { readonly ok: false; readonly because: 'fork' | 'conflict' }

interface Batch {
  readonly gw: GatewayId
  readonly epoch: Epoch
  readonly first: number
  readonly last: number
  readonly records: readonly SealedRecord[]
}
interface Signed {
  readonly batch: Batch
  /** The message that brought it, as it was signed. */
  readonly message: Uint8Array
  readonly keyId: string
}

/** The usage of one transaction: judged in memory against what is stored, written together at the end. */
export interface UsagePosting {
  /** Whether the ledger holds exactly these records under these numbers. */
  has(batch: Batch, range: { first: number; last: number }): Promise<boolean>
  /**
   * Takes records that are not posted yet: chain checked against the head, registers never going back, one posting for
   * every register that moved. Takes nothing where it refuses.
   */
  post(signed: Signed, position: StreamPosition): Promise<Posted>
  /** Answers the ends of days that do not agree with what the ledger then has. */
  write(): Promise<readonly SealedRecord[]>
}

/** @param batches all that may be posted: their registers are read at once. @param turn of this transaction */
export async function openPosting(
  db: Db,
  {
    streams,
    batches,
    now,
    turn,
  }: { streams: HeldStreams; batches: readonly Batch[]; now: number; turn: number },
): Promise<UsagePosting> {
  const registers = await Registers.load(db, batches)
  const month = monthOf(now)
  const taken: NewUsage = { records: [], postings: [], batches: [], labels: [] }
  const unwritten = new Map<string, SealedRecord>()
  const closes: SealedRecord[] = []
  const numbered = ({ gw, epoch, seq }: RecordName): string => `${gw} ${epoch} ${seq}`
  const find = (name: RecordName): UsageRecord | undefined => unwritten.get(numbered(name))?.record

  return {
    async has(batch, range) {
      const wanted = batch.records.filter(({ record }) => record.seq <= range.last)
      const known = (sealed: SealedRecord): Hash | undefined => unwritten.get(numbered(sealed.record))?.hash
      if (wanted.every((sealed) => known(sealed) === sealed.hash)) return true
      const stored = await recordHashes(db, { gateway: batch.gw, epoch: batch.epoch }, range)
      return wanted.every((sealed) => (known(sealed) ?? stored.get(sealed.record.seq)) === sealed.hash)
    },
    async post({ batch, message, keyId }, position) {
      const records = batch.records.filter(({ record }) => record.seq > position.upTo)
      const chain = verifyChain(records, position.head)
      if (!chain.ok) return { ok: false, because: 'fork' }
      await registers.inherit(position, { streams, records })
      const moves = movesOf(records, { registers, month })
      if (moves === undefined) return { ok: false, because: 'conflict' }
      for (const [stand, move] of moves.ends) moveTo(stand, move)
      for (const postings of moves.postings) taken.postings.push(postings)
      for (const sealed of records) {
        taken.records.push(rowOf(sealed, { month, now, turn }))
        if (sealed.record.kind === 'day_close') closes.push(sealed)
        unwritten.set(numbered(sealed.record), sealed)
        const label = await labelBy(db, sealed.record, { taken: taken.labels, find, now, turn })
        if (label !== undefined) taken.labels.push(label)
      }
      const { gateway, epoch } = position
      const { first, last } = batch
      taken.batches.push({ gateway, epoch, first, last, month, key_id: keyId, message, received_at: now })
      return { ok: true, head: chain.head }
    },
    async write() {
      await appendUsage(db, { ...taken, registers: registers.moved() })
      const wrong: SealedRecord[] = []
      for (const sealed of closes) if (!(await agrees(db, sealed.record))) wrong.push(sealed)
      return wrong
    },
  }
}

function rowOf(
  { record, bytes, hash }: SealedRecord,
  { month, now, turn }: { month: number; now: number; turn: number },
) {
  const { gw: gateway, epoch, seq, prev, org, kind, time, src } = record
  const { day, wallEnd: wall_end } = time
  const network = src?.mccmnc ?? null
  return {
    gateway,
    epoch,
    seq,
    month,
    prev,
    hash,
    org,
    kind,
    day,
    wall_end,
    network,
    bytes,
    received_at: now,
    posted: turn,
  }
}

interface Moves {
  readonly postings: NewPostings[]
  /** Where each register stands afterwards, and by which record. */
  readonly ends: Map<Stand, { end: bigint; record: UsageRecord }>
}

/** What the records add to each register; undefined where one would go back, is too large, or is named twice. */
function movesOf(
  records: readonly SealedRecord[],
  { registers, month }: { registers: Registers; month: number },
): Moves | undefined {
  const moves: Moves = { postings: [], ends: new Map() }
  for (const { record } of records) {
    const stands = registers.of(record)
    for (const [at, register] of record.registers.entries()) {
      const stand = stands[at]
      if (stand === undefined) return undefined
      const before = moves.ends.get(stand)
      const start = before?.end ?? stand.end ?? 0n
      if (before?.record === record || register.end < start || register.end > REGISTER_END_MAX)
        return undefined
      moves.ends.set(stand, { end: register.end, record })
      if (register.end === start) continue
      const { meter, subject } = register
      const quantity = register.end - start
      postingsOf(moves.postings, { record, register, month }).rows.push({ meter, subject, quantity })
    }
  }
  return moves
}

/** Registers after each other that count alike go together, as they do in the record's own bytes. */
function postingsOf(
  made: NewPostings[],
  { record, register, month }: { record: UsageRecord; register: RegisterEnd; month: number },
): NewPostings {
  const { gw: gateway, epoch, seq } = record
  const { gen, custodian, workspace, q } = register
  const billable = register.billable ? 1 : 0
  const last = made.at(-1)
  if (last !== undefined) {
    const { of } = last
    const isPaidAlike =
      of.custodian === custodian && of.workspace === workspace && of.billable === billable && of.q === q
    if (of.seq === seq && of.gen === gen && isPaidAlike) return last
  }
  const of = { gateway, epoch, seq, month, gen, custodian, workspace, billable, q }
  const postings = { of, rows: [] }
  made.push(postings)
  return postings
}
