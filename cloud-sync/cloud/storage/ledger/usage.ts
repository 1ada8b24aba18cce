import { type ExpressionBuilder, sql } from 'kysely'
import type { Epoch, GatewayId, Hash, OrgId } from '../../../contract/index.ts'
import type { Db } from './open.ts'
import { ofRecord, summed, sumOf } from './sums.ts'
import type {
  LedgerSchema,
  NewDayAssign,
  NewPosting,
  NewRegister,
  NewUsageBatch,
  NewUsageRecord,
  UsageRecordRow,
} from './tables.ts'

/** Rows in one INSERT; SQLite allows 32,766 parameters in a statement. */
const INSERT_ROWS_MAX = 500
/** Records read at once where a whole chain is walked. */
const PAGE_RECORDS = 1_000

/** Names one posted register. */
export interface RegisterKey {
  readonly meter: string
  readonly subject: string
  readonly gen: number
}
export interface RegisterStand extends RegisterKey {
  readonly org: string
  readonly end: bigint
  readonly seq: number
}

const text = (eb: ExpressionBuilder<LedgerSchema, 'usage_register'>) =>
  sql<string>`cast(${eb.ref('end')} as text)`

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

/** Appends; a number that is there already is an error, never skipped: skipping would hide a fork. */
export async function insertRecords(db: Db, records: readonly NewUsageRecord[]): Promise<void> {
  for (const rows of chunks(records)) await db.insertInto('usage_record').values(rows).execute()
}

export async function insertPostings(db: Db, postings: readonly NewPosting[]): Promise<void> {
  for (const rows of chunks(postings)) await db.insertInto('usage_posting').values(rows).execute()
}

export async function insertDayAssign(db: Db, row: NewDayAssign): Promise<void> {
  await db.insertInto('usage_day_assign').values(row).execute()
}

export async function insertUsageBatch(db: Db, row: NewUsageBatch): Promise<void> {
  await db.insertInto('usage_batch').values(row).execute()
}

/** Where every register of one epoch stands. */
export async function registersOf(
  db: Db,
  stream: { gateway: GatewayId; epoch: Epoch },
): Promise<RegisterStand[]> {
  const rows = await db
    .selectFrom('usage_register')
    .select(['meter', 'subject', 'gen', 'org', 'seq', (eb) => text(eb).as('end')])
    .where('gateway', '=', stream.gateway)
    .where('epoch', '=', stream.epoch)
    .orderBy('subject')
    .orderBy('meter')
    .orderBy('gen')
    .execute()
  return rows.map((row) => ({ ...row, end: BigInt(row.end) }))
}

/** Where every register stands that last counted for an organisation. */
export async function registersOfOrg(
  db: Db,
  { org, gateways }: { org: OrgId; gateways: readonly GatewayId[] },
): Promise<(RegisterStand & { gateway: string; epoch: string })[]> {
  if (gateways.length === 0) return []
  const rows = await db
    .selectFrom('usage_register')
    .select(['gateway', 'epoch', 'meter', 'subject', 'gen', 'org', 'seq', (eb) => text(eb).as('end')])
    .where('org', '=', org)
    .where('gateway', 'in', gateways)
    .orderBy('gateway')
    .orderBy('epoch')
    .orderBy('subject')
    .orderBy('meter')
    .orderBy('gen')
    .execute()
  return rows.map((row) => ({ ...row, end: BigInt(row.end) }))
}

/** Moves registers to their new ends. */
export async function upsertRegisters(db: Db, registers: readonly NewRegister[]): Promise<void> {
  for (const rows of chunks(registers)) {
    await db
      .insertInto('usage_register')
      .values(rows)
      .onConflict((c) =>
        c.columns(['gateway', 'epoch', 'meter', 'subject', 'gen']).doUpdateSet((eb) => ({
          end: eb.ref('excluded.end'),
          org: eb.ref('excluded.org'),
          seq: eb.ref('excluded.seq'),
        })),
      )
      .execute()
  }
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

function* chunks<T>(rows: readonly T[]): Generator<T[]> {
  for (let at = 0; at < rows.length; at += INSERT_ROWS_MAX) yield rows.slice(at, at + INSERT_ROWS_MAX)
}
