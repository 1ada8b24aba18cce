import { type Kysely, sql } from 'kysely'
import { type Dialect, dialectOf, type RelationalDatabase } from '../relational/index.ts'
import type { LedgerSchema } from './tables.ts'

type Db = Kysely<LedgerSchema>

/** Held together by those that post, alone by who cuts (any constant number will do). */
const TURN_LOCK = 4_770_319
/** Whoever cuts gives up after this: those that want to post wait behind it. */
const CUT_WAIT_MS = 5_000

/**
 * Turns say what was posted before what, whatever any clock shows: a transaction that posts usage takes one, and a rating
 * run takes one that all posted before it are below. They begin at the wall clock of the first start and count on from
 * there; each start leads them on to its wall clock, so that a ledger that was restored from a backup gives no turn
 * again that a run was below before.
 */
export async function makeTurns(db: Kysely<never>, dialect: Dialect): Promise<void> {
  if (dialect === 'postgres') await sql`create sequence usage_turn`.execute(db)
  else {
    await sql`create table usage_turn (last bigint not null)`.execute(db)
    await sql`insert into usage_turn (last) values (0)`.execute(db)
  }
}

/**
 * The turn of a transaction, before anything else in it. A value of a sequence says nothing of the order of commits:
 * `cutOff` waits for those that hold one. @param at wall clock, epoch ms
 */
export async function takeTurn(db: Db, at: number): Promise<number> {
  if (dialectOf(db) === 'sqlite') return nextOfOne(db, at)
  const { rows } = await sql<{ turn: number }>`
    with held as materialized (select pg_advisory_xact_lock_shared(${sql.lit(TURN_LOCK)}))
    select nextval('usage_turn') as turn from held`.execute(db)
  return turnIn(rows)
}

/**
 * A turn that everything posted so far is below, and seen by whoever reads from now on; all that is posted later is
 * above. @throws where somebody has been posting for more than 5 s: nothing was done, try again
 */
export const cutOff = (database: RelationalDatabase<LedgerSchema>, at: number): Promise<number> =>
  database.transaction(async (tx) => {
    if (database.dialect === 'sqlite') return nextOfOne(tx, at)
    await sql`set local lock_timeout = ${sql.lit(CUT_WAIT_MS)}`.execute(tx)
    await sql`select pg_advisory_xact_lock(${sql.lit(TURN_LOCK)})`.execute(tx)
    const { rows } = await sql<{ turn: number }>`select nextval('usage_turn') as turn`.execute(tx)
    return turnIn(rows)
  })

/** PostgreSQL: leads the turns on to a moment. */
export async function raiseTurns(db: Db, at: number): Promise<void> {
  await sql`select pg_advisory_xact_lock(${sql.lit(TURN_LOCK)})`.execute(db)
  await sql`select setval('usage_turn', greatest(nextval('usage_turn'), ${at}::bigint))`.execute(db)
}

/** SQLite has one writer at a time, so that turns are in the order of commits by themselves. */
async function nextOfOne(db: Db, at: number): Promise<number> {
  const { rows } = await sql<{ turn: number }>`
    update usage_turn set last = max(last + 1, ${at}) returning last as turn`.execute(db)
  return turnIn(rows)
}

function turnIn([row]: readonly { readonly turn: number }[]): number {
  if (row === undefined) throw new Error('the ledger counts no turns')
  return row.turn
}
