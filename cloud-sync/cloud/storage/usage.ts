import { type ExpressionBuilder, sql } from 'kysely'
import type { Epoch, GatewayId, Hash, OrgId } from '../../contract/index.ts'
import type { Db } from './database.ts'
import type { NewPosting, NewRegister, NewUsageRecord, Schema, UsageRecordRow } from './schema.ts'

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

/** One line of a statement: what a sensor (or gateway or link) used on a day. */
export interface UsageTotal {
  readonly day: string | null
  readonly gateway: string
  readonly subject: string
  readonly meter: string
  readonly custodian: string | null
  readonly workspace: string | null
  readonly billable: boolean
  readonly quantity: bigint
}

const text = (eb: ExpressionBuilder<Schema, 'usage_register'>) => sql<string>`cast(${eb.ref('end')} as text)`

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

export async function insertDayAssign(
  db: Db,
  row: { gateway: string; epoch: string; corrects: number; day: string; seq: number },
): Promise<void> {
  await db
    .insertInto('usage_day_assign')
    .values(row)
    .onConflict((c) =>
      c.columns(['gateway', 'epoch', 'corrects']).doUpdateSet({ day: row.day, seq: row.seq }),
    )
    .execute()
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

/** One record after another by sequence number, page by page. */
export async function* recordsOf(
  db: Db,
  stream: { gateway: GatewayId; epoch: Epoch },
): AsyncGenerator<UsageRecordRow> {
  for (let after = 0; ; ) {
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

/**
 * Sums of an organisation's postings by day, gateway, subject, meter and payer. Days inclusive, undated usage only
 * without a range; only through `gateways`: nobody is billed for what a stranger's gateway says.
 */
export async function usageTotals(
  db: Db,
  asked: { org: OrgId; gateways: readonly GatewayId[]; from: string | undefined; to: string | undefined },
): Promise<UsageTotal[]> {
  if (asked.gateways.length === 0) return []
  const day = sql<string | null>`coalesce(p.day, a.day)`
  let query = db
    .selectFrom('usage_posting as p')
    .leftJoin('usage_day_assign as a', (join) =>
      join
        .onRef('a.gateway', '=', 'p.gateway')
        .onRef('a.epoch', '=', 'p.epoch')
        .onRef('a.corrects', '=', 'p.seq'),
    )
    .select([
      day.as('day'),
      'p.gateway',
      'p.subject',
      'p.meter',
      'p.custodian',
      'p.workspace',
      'p.billable',
      sql<string>`cast(sum(p.quantity) as text)`.as('quantity'),
    ])
    .where('p.org', '=', asked.org)
    .where('p.gateway', 'in', asked.gateways)
  if (asked.from !== undefined) query = query.where(day, '>=', asked.from)
  if (asked.to !== undefined) query = query.where(day, '<=', asked.to)
  const rows = await query
    .groupBy([day, 'p.gateway', 'p.subject', 'p.meter', 'p.custodian', 'p.workspace', 'p.billable'])
    .orderBy(day)
    .orderBy('p.gateway')
    .orderBy('p.subject')
    .orderBy('p.meter')
    .execute()
  return rows.map((row) => ({ ...row, billable: row.billable === 1, quantity: BigInt(row.quantity) }))
}

/** What was posted for a gateway in all, by organisation, meter and subject. */
export async function postedTotals(
  db: Db,
  gateway: GatewayId,
): Promise<{ org: string; meter: string; subject: string; quantity: bigint }[]> {
  const rows = await db
    .selectFrom('usage_posting')
    .select(['org', 'meter', 'subject', sql<string>`cast(sum(quantity) as text)`.as('quantity')])
    .where('gateway', '=', gateway)
    .groupBy(['org', 'meter', 'subject'])
    .orderBy('org')
    .orderBy('subject')
    .orderBy('meter')
    .execute()
  return rows.map((row) => ({ ...row, quantity: BigInt(row.quantity) }))
}

function* chunks<T>(rows: readonly T[]): Generator<T[]> {
  for (let at = 0; at < rows.length; at += INSERT_ROWS_MAX) yield rows.slice(at, at + INSERT_ROWS_MAX)
}
