import type { Epoch, GatewayId, Hash, RegisterEnd, SealedRecord, UsageRecord } from '../../contract/index.ts'
import { verifyChain } from '../../codec/index.ts'
import {
  type Db,
  insertDayAssign,
  insertPostings,
  insertRecords,
  insertUsageBatch,
  monthOf,
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

interface Posting {
  readonly position: StreamPosition
  readonly records: readonly SealedRecord[]
  /** The message that brought them, and all that is in it. */
  readonly signed: { first: number; last: number; message: Uint8Array; keyId: string }
  readonly now: number
}

/**
 * Appends records to the ledger: chain checked against the posted head, registers never going back, one posting for
 * every register that moved. Writes nothing where it refuses.
 */
export async function postUsage(db: Db, { position, records, now, signed }: Posting): Promise<Posted> {
  const chain = verifyChain(records, position.head)
  if (!chain.ok) return { ok: false, because: 'fork' }
  const registers = await loadRegisters(db, position)
  const postings: NewPosting[] = []
  for (const { record } of records) {
    const moved = postingsOf(record, registers, monthOf(now))
    if (moved === undefined) return { ok: false, because: 'conflict' }
    postings.push(...moved)
  }
  await insertRecords(
    db,
    records.map((sealed) => rowOf(sealed, now)),
  )
  await insertPostings(db, postings)
  await upsertRegisters(db, registers.moved())
  const { gateway, epoch } = position
  const { first, last, message, keyId: key_id } = signed
  await insertUsageBatch(db, {
    gateway,
    epoch,
    first,
    last,
    month: monthOf(now),
    key_id,
    message,
    received_at: now,
  })
  for (const { record } of records) await labelDay(db, record, now)
  return { ok: true, head: chain.head }
}

function rowOf({ record, bytes, hash }: SealedRecord, now: number) {
  const { gw: gateway, epoch, seq, prev, org, kind, time, src } = record
  return {
    gateway,
    epoch,
    seq,
    month: monthOf(now),
    prev,
    hash,
    org,
    kind,
    day: time.day,
    wall_end: time.wallEnd,
    network: src?.mccmnc ?? null,
    bytes,
    received_at: now,
  }
}

/** What the record adds to each register; undefined where one would go back, is too large, or is named twice. */
function postingsOf(record: UsageRecord, registers: Registers, month: number): NewPosting[] | undefined {
  const postings: NewPosting[] = []
  const named = new Set<string>()
  for (const register of record.registers) {
    const name = `${register.meter} ${register.subject} ${register.gen}`
    const start = registers.endOf(register)
    if (named.has(name) || register.end < start || register.end > REGISTER_END_MAX) return undefined
    named.add(name)
    registers.move(register, { org: record.org, seq: record.seq })
    if (register.end > start)
      postings.push(postingOf(record, register, { quantity: register.end - start, month }))
  }
  return postings
}

function postingOf(
  record: UsageRecord,
  register: RegisterEnd,
  { quantity, month }: { quantity: bigint; month: number },
): NewPosting {
  const { gw: gateway, epoch, seq } = record
  const { meter, subject, gen, custodian, workspace, billable, q } = register
  return {
    gateway,
    epoch,
    seq,
    month,
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

/** A record of an unsynced past has no day; `day_assign` records label it, whole or by stretches (decisions.md, Usage records). */
async function labelDay(db: Db, record: UsageRecord, now: number): Promise<void> {
  const { gw: gateway, epoch, seq, corrects, share } = record
  const { day } = record.time
  if (record.kind !== 'day_assign' || corrects === null || day === null) return
  await insertDayAssign(db, {
    gateway,
    epoch,
    seq,
    of_epoch: share?.epoch ?? epoch,
    corrects,
    day,
    share_from: share?.from ?? 0,
    share_to: share?.to ?? 1,
    share_of: share?.of ?? 1,
    received_at: now,
  })
}
