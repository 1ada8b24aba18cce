import type { Epoch, GatewayId, Hash, OrgId } from '../../../contract/index.ts'
import type { Db } from './open.ts'
import { ofRecord, summed, sumOf } from './sums.ts'
import { insertAll, insertParts } from '../relational/index.ts'
import { type MovedRegisters, moveRegisters } from './registers.ts'
import {
  LEDGER_TABLES,
  type NewDayAssign,
  type NewPosting,
  type NewUsageBatch,
  type NewUsageRecord,
  type UsageRecordRow,
} from './tables.ts'

/** Records read at once where a whole chain is walked. */
const PAGE_RECORDS = 1_000

/** Hash of each stored record from `first` to `last`. */
export async function recordHashes(
  db: Db,
  stream: { gateway: GatewayId; epoch: Epoch },
  { first, last }: { first: number; last: number },
): Promise<Map<number, Hash>> {
  const rows = await db
    .selectFrom('usage_record')
    .select(['seq', 'hash'])
    .where('gateway', '=', stream.gateway)
    .where('epoch', '=', stream.epoch)
    .where('seq', '>=', first)
    .where('seq', '<=', last)
    .execute()
  return new Map(rows.map((row) => [row.seq, row.hash as Hash]))
}

/** Hashes of the records with these numbers that are stored. */
export async function hashesAt(
  db: Db,
  { gateway, epoch, seqs }: { gateway: GatewayId; epoch: Epoch; seqs: readonly number[] },
): Promise<Map<number, Hash>> {
  if (seqs.length === 0) return new Map()
  const rows = await db
    .selectFrom('usage_record')
    .select(['seq', 'hash'])
    .where('gateway', '=', gateway)
    .where('epoch', '=', epoch)
    .where('seq', 'in', seqs)
    .execute()
  return new Map(rows.map((row) => [row.seq, row.hash as Hash]))
}

/** What postings of a record that count for the same payer share. */
const SHARED = [
  ...(['gateway', 'epoch', 'seq', 'month'] as const),
  ...(['gen', 'custodian', 'workspace', 'billable', 'q'] as const),
] as const
type Shared = Pick<NewPosting, (typeof SHARED)[number]>

/** Some postings of one record. */
export interface NewPostings {
  readonly of: Shared
  readonly rows: Omit<NewPosting, keyof Shared>[]
}

/** Everything that a transaction adds. */
export interface NewUsage {
  readonly records: NewUsageRecord[]
  readonly postings: NewPostings[]
  readonly batches: NewUsageBatch[]
  readonly labels: NewDayAssign[]
}

const TO = LEDGER_TABLES

/** Appends, and moves registers to their new ends; a number that is there already is an error: skipping would hide a fork. */
export async function appendUsage(
  db: Db,
  { records, postings, batches, labels, registers }: NewUsage & { registers: readonly MovedRegisters[] },
): Promise<void> {
  await insertAll(db, { into: 'usage_record', table: TO.usage_record }, records)
  await insertParts(db, { into: 'usage_posting', table: TO.usage_posting, shared: SHARED }, postings)
  await insertAll(db, { into: 'usage_batch', table: TO.usage_batch }, batches)
  await moveRegisters(db, registers)
  await insertAll(db, { into: 'usage_day_assign', table: TO.usage_day_assign }, labels)
}

/** The stretches of a record that have a day. */
export async function sharesOf(
  db: Db,
  { gateway, epoch, seq }: { gateway: string; epoch: string; seq: number },
): Promise<Pick<NewDayAssign, 'share_from' | 'share_to' | 'share_of'>[]> {
  return db
    .selectFrom('usage_day_assign')
    .select(['share_from', 'share_to', 'share_of'])
    .where('gateway', '=', gateway)
    .where('of_epoch', '=', epoch)
    .where('corrects', '=', seq)
    .execute()
}

/** Records of a day that say what was used or when: what a gateway counts in `close.records`. */
export async function countOfDay(
  db: Db,
  { gateway, org, day }: { gateway: GatewayId; org: OrgId; day: string },
): Promise<number> {
  const row = await db
    .selectFrom('usage_record')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('org', '=', org)
    .where('day', '=', day)
    .where('gateway', '=', gateway)
    .where('kind', 'in', ['interval', 'day_assign'])
    .executeTakeFirstOrThrow()
  return row.count
}

/** Whose a stored record without a day is; undefined where there is none under this name. */
export async function undatedOwner(
  db: Db,
  { gw, epoch, seq }: { gw: string; epoch: string; seq: number },
): Promise<string | undefined> {
  const row = await db
    .selectFrom('usage_record')
    .select('org')
    .where('gateway', '=', gw)
    .where('epoch', '=', epoch)
    .where('seq', '=', seq)
    .where('day', 'is', null)
    .executeTakeFirst()
  return row?.org
}

/** One record after another by sequence number from `first` on, page by page. */
export async function* recordsOf(
  db: Db,
  stream: { gateway: GatewayId; epoch: Epoch },
  first = 1,
): AsyncGenerator<UsageRecordRow> {
  for (let after = first - 1; ; ) {
    const page = await db
      .selectFrom('usage_record')
      .selectAll()
      .where('gateway', '=', stream.gateway)
      .where('epoch', '=', stream.epoch)
      .where('seq', '>', after)
      .orderBy('seq')
      .limit(PAGE_RECORDS)
      .execute()
    yield* page
    const last = page.at(-1)
    if (last === undefined) return
    after = last.seq
  }
}

/** Whose usage a gateway has ever brought. */
export async function organisationsOn(db: Db, gateway: GatewayId): Promise<OrgId[]> {
  const rows = await db
    .selectFrom('usage_record')
    .select('org')
    .distinct()
    .where('gateway', '=', gateway)
    .orderBy('org')
    .execute()
  return rows.map(({ org }) => org as OrgId)
}

/** What was posted for a gateway in all, by organisation, meter and subject. */
export async function postedTotals(
  db: Db,
  gateway: GatewayId,
): Promise<{ org: string; meter: string; subject: string; quantity: bigint }[]> {
  const rows = await db
    .selectFrom('usage_posting as p')
    .innerJoin('usage_record as r', ofRecord)
    .select(['r.org', 'p.meter', 'p.subject', ...summed('p.quantity')])
    .where('p.gateway', '=', gateway)
    .groupBy(['r.org', 'p.meter', 'p.subject'])
    .orderBy('r.org')
    .orderBy('p.subject')
    .orderBy('p.meter')
    .execute()
  return rows.map(({ org, meter, subject, ...sum }) => ({ org, meter, subject, quantity: sumOf(sum) }))
}
