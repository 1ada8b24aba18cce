import type { Epoch, GatewayId, Hash, RegisterEnd, SealedRecord, UsageRecord } from '../../contract/index.ts'
import { verifyChain } from '../../codec/index.ts'
import {
  type Db,
  insertDayAssign,
  insertPostings,
  insertRecords,
  type NewPosting,
  recordHashes,
  type StreamPosition,
  upsertRegisters,
} from '../storage/index.ts'
import { loadRegisters, REGISTER_END_MAX, type Registers } from './registers.ts'

/** The ledger's answer to records that should follow what is posted. */
export type Posted =
  | { readonly ok: true; readonly head: Hash }
  /** `fork`: not the successor. `conflict`: a register would go back, or stands twice in one record. */
  | { readonly ok: false; readonly because: 'fork' | 'conflict' }

/** Whether the ledger holds exactly these records under these numbers. */
export async function compareRecords(
  db: Db,
  batch: { gw: GatewayId; epoch: Epoch; records: readonly SealedRecord[] },
  range: { first: number; last: number },
): Promise<boolean> {
  const stored = await recordHashes(db, { gateway: batch.gw, epoch: batch.epoch }, range)
  return batch.records.every(({ record, hash }) => record.seq > range.last || stored.get(record.seq) === hash)
}

/**
 * Appends records to the ledger: chain checked against the posted head, registers never going back, one posting for
 * every register that moved. Writes nothing where it refuses.
 */
export async function postUsage(
  db: Db,
  { position, records, now }: { position: StreamPosition; records: readonly SealedRecord[]; now: number },
): Promise<Posted> {
  const chain = verifyChain(records, position.head)
  if (!chain.ok) return { ok: false, because: 'fork' }
  const registers = await loadRegisters(db, position)
  const postings: NewPosting[] = []
  for (const { record } of records) {
    const moved = postingsOf(record, registers)
    if (moved === undefined) return { ok: false, because: 'conflict' }
    postings.push(...moved)
  }
  await insertRecords(
    db,
    records.map((sealed) => rowOf(sealed, now)),
  )
  await insertPostings(db, postings)
  await upsertRegisters(db, registers.moved())
  for (const { record } of records) await labelDay(db, record)
  return { ok: true, head: chain.head }
}

function rowOf({ record, bytes, hash }: SealedRecord, now: number) {
  const { gw: gateway, epoch, seq, prev, org, kind, time } = record
  return {
    gateway,
    epoch,
    seq,
    prev,
    hash,
    org,
    kind,
    day: time.day,
    wall_end: time.wallEnd,
    bytes,
    received_at: now,
  }
}

/** What the record adds to each register; undefined where one would go back, is too large, or is named twice. */
function postingsOf(record: UsageRecord, registers: Registers): NewPosting[] | undefined {
  const postings: NewPosting[] = []
  const named = new Set<string>()
  for (const register of record.registers) {
    const name = `${register.meter} ${register.subject} ${register.gen}`
    const start = registers.endOf(register)
    if (named.has(name) || register.end < start || register.end > REGISTER_END_MAX) return undefined
    named.add(name)
    registers.move(register, { org: record.org, seq: record.seq })
    if (register.end > start) postings.push(postingOf(record, register, register.end - start))
  }
  return postings
}

function postingOf(record: UsageRecord, register: RegisterEnd, quantity: bigint): NewPosting {
  const { gw: gateway, epoch, seq, org, time } = record
  const { meter, subject, gen, custodian, workspace, billable, q } = register
  return {
    gateway,
    epoch,
    seq,
    org,
    day: time.day,
    meter,
    subject,
    gen,
    quantity,
    custodian,
    workspace,
    billable: billable ? 1 : 0,
    q,
  }
}

/** A record of an unsynced past has no day; a later `day_assign` record labels it (decisions.md, Usage records). */
async function labelDay(db: Db, record: UsageRecord): Promise<void> {
  const { gw: gateway, epoch, seq, corrects } = record
  const { day } = record.time
  if (record.kind !== 'day_assign' || corrects === null || day === null) return
  await insertDayAssign(db, { gateway, epoch, corrects, day, seq })
}
