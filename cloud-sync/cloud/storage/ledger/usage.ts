import { type ExpressionBuilder, sql } from 'kysely'
import type { Epoch, GatewayId, Hash, OrgId } from '../../../contract/index.ts'
import type { Db } from './open.ts'
import { ofRecord, summed, sumOf } from './sums.ts'
import { answersTo, dialectOf, insertAll, updateAll } from '../relational/index.ts'
import {
  LEDGER_TABLES,
  type LedgerSchema,
  type NewDayAssign,
  type NewPosting,
  type NewRegister,
  type NewUsageBatch,
  type NewUsageRecord,
  type UsageRecordRow,
} from './tables.ts'

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

/** Everything that a transaction adds. */
export interface NewUsage {
  readonly records: NewUsageRecord[]
  readonly postings: NewPosting[]
  readonly batches: NewUsageBatch[]
  readonly labels: NewDayAssign[]
}

const TO = LEDGER_TABLES
const MOVES =
  'on conflict (gateway, epoch, meter, subject, gen) do update set "end" = excluded."end", org = excluded.org, seq = excluded.seq'

/** Appends, and moves registers to their new ends; a number that is there already is an error: skipping would hide a fork. */
export async function appendUsage(
  db: Db,
  { records, postings, batches, labels, registers }: NewUsage & { registers: readonly MovedRegister[] },
): Promise<void> {
  await insertAll(db, { into: 'usage_record', table: TO.usage_record }, records)
  await insertAll(db, { into: 'usage_posting', table: TO.usage_posting }, postings)
  await insertAll(db, { into: 'usage_batch', table: TO.usage_batch }, batches)
  await moveRegisters(db, registers)
  await insertAll(db, { into: 'usage_day_assign', table: TO.usage_day_assign }, labels)
}

async function moveRegisters(db: Db, registers: readonly MovedRegister[]): Promise<void> {
  const table = TO.usage_register
  const rows = registers.map(({ row }) => row)
  if (dialectOf(db) === 'sqlite') {
    await insertAll(db, { into: 'usage_register', table, then: MOVES }, rows)
    return
  }
  const isStored = registers.map(({ isThere }) => isThere)
  const there = rows.filter((_, at) => isStored[at])
  await updateAll(db, { of: 'usage_register', table, set: ['end', 'org', 'seq'] }, there)
  await insertAll(
    db,
    { into: 'usage_register', table },
    rows.filter((_, at) => !isStored[at]),
  )
}

/** A register's new end, and whether it has a row yet. */
export interface MovedRegister {
  readonly row: NewRegister
  readonly isThere: boolean
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

/** Names a register of one epoch. */
export interface RegisterPlace extends RegisterKey {
  readonly gateway: string
  readonly epoch: string
}

const STANDS = {
  columns: { gateway: 'text', epoch: 'text', meter: 'text', subject: 'text', gen: 'whole' },
  question: `select r.gateway, r.epoch, r.meter, r.subject, r.gen, cast(r."end" as text) as "end"
    from k cross join usage_register r
    where r.gateway = k.gateway and r.epoch = k.epoch and r.meter = k.meter and r.subject = k.subject
      and r.gen = k.gen`,
} as const

/** Where these registers stand, those that are there. */
export async function standsAt(
  db: Db,
  places: readonly RegisterPlace[],
): Promise<(RegisterPlace & { readonly end: bigint })[]> {
  if (places.length === 0) return []
  const rows = await answersTo<RegisterPlace & { end: string }>(
    db,
    STANDS,
    places.map(({ gateway, epoch, meter, subject, gen }) => [gateway, epoch, meter, subject, gen]),
  )
  return rows.map((row) => ({ ...row, end: BigInt(row.end) }))
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
