import { type Kysely, sql } from 'kysely'
import { createTable, forbidChanges, type Migration } from '../relational/index.ts'
import { madeAs } from './partitions.ts'
import { LEDGER_TABLES, type LedgerSchema } from './tables.ts'
import { makeTurns } from './turns.ts'

/** Rows of these are facts. */
const APPEND_ONLY = [
  'usage_record',
  'usage_posting',
  'usage_batch',
  'usage_day_assign',
  'fork_resolution',
  'reading_batch',
  'event_batch',
] as const

/** What the ledger had before it ran on two engines; only ever a SQLite file. */
const BEFORE = [
  'gateway_state',
  'stream',
  'usage_record',
  'usage_posting',
  'usage_register',
  'usage_day_assign',
  'reading_channel',
  'reading_batch',
  'reading_chunk',
  'event_batch',
  'quarantine',
] as const

/** Tables that a later version added. */
const ADDED: ReadonlySet<string> = new Set(['held_epoch', 'usage_loss'])

/** The first version is the table data itself; a cloud.db from before keeps every fact it has. */
const first: Migration = async (db, dialect) => {
  const before = dialect === 'sqlite' && (await isThere(db, 'schema_version'))
  if (before) for (const table of BEFORE) await setAside(db, table)
  for (const [name, table] of Object.entries(LEDGER_TABLES)) {
    if (ADDED.has(name)) continue
    await createTable(db, { name, dialect, ...madeAs(name, table, dialect) })
  }
  await makeTurns(db, dialect)
  if (before) await takeOver(db as unknown as Kysely<LedgerSchema>)
  for (const table of APPEND_ONLY) await forbidChanges(db, dialect, table)
}

async function isThere(db: Kysely<never>, table: string): Promise<boolean> {
  const { rows } = await sql`select 1 from sqlite_master where type = 'table' and name = ${table}`.execute(db)
  return rows.length > 0
}

const setAside = (db: Kysely<never>, table: string): Promise<unknown> =>
  sql`alter table ${sql.table(table)} rename to ${sql.table(`before_${table}`)}`.execute(db)

async function takeOver(db: Kysely<LedgerSchema>): Promise<void> {
  const monthOf = (column: string) =>
    sql`cast(strftime('%Y%m', ${sql.ref(column)} / 1000, 'unixepoch') as integer)`
  await sql`insert into usage_record
    (gateway, epoch, seq, month, prev, hash, org, kind, day, wall_end, network, bytes, received_at,
      posted)
    select gateway, epoch, seq, ${monthOf('received_at')}, prev, hash, org, kind, day, wall_end, null, bytes,
      received_at, received_at from before_usage_record`.execute(db)
  await sql`insert into usage_posting
    (gateway, epoch, seq, month, meter, subject, gen, quantity, custodian, workspace, billable, q)
    select p.gateway, p.epoch, p.seq, r.month, p.meter, p.subject, p.gen, p.quantity, p.custodian, p.workspace,
      p.billable, p.q
    from before_usage_posting p join usage_record r on (r.gateway, r.epoch, r.seq) = (p.gateway, p.epoch, p.seq)`.execute(
    db,
  )
  await sql`insert into usage_day_assign
    (gateway, epoch, seq, of_epoch, corrects, day, share_from, share_to, share_of, received_at,
      posted)
    select a.gateway, a.epoch, a.seq, a.epoch, a.corrects, a.day, 0, 1, 1, r.received_at, r.received_at
    from before_usage_day_assign a join usage_record r on (r.gateway, r.epoch, r.seq) = (a.gateway, a.epoch, a.seq)`.execute(
    db,
  )
  await sql`insert into usage_register (gateway, epoch, subject, gen, stands)
    select gateway, epoch, subject, gen, json_group_array(json_array(meter, org, cast("end" as text), seq))
    from (select * from before_usage_register order by meter) group by gateway, epoch, subject, gen`.execute(
    db,
  )
  const taken = new Set<string>(['usage_record', 'usage_posting', 'usage_register', 'usage_day_assign'])
  for (const table of BEFORE) {
    if (!taken.has(table)) {
      const columns = sql.join(Object.keys(LEDGER_TABLES[table].columns).map((column) => sql.ref(column)))
      await sql`insert into ${sql.table(table)} (${columns})
        select ${columns} from ${sql.table(`before_${table}`)}`.execute(db)
    }
    await sql`drop table ${sql.table(`before_${table}`)}`.execute(db)
  }
  // A program from before finds a version it does not know, and refuses without writing.
  await sql`insert into schema_version (version, at) values (2, 0)`.execute(db)
}

/** Epochs that wait for the operator are listed. */
const second: Migration = (db, dialect) =>
  createTable(db, { name: 'held_epoch', table: LEDGER_TABLES.held_epoch, dialect })

/** What nobody has any more is told. */
const third: Migration = (db, dialect) =>
  createTable(db, { name: 'usage_loss', table: LEDGER_TABLES.usage_loss, dialect })

export const LEDGER_MIGRATIONS: readonly Migration[] = [first, second, third]
