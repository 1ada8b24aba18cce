import { type ExpressionBuilder, type Kysely, type QueryCreator, sql, type Transaction } from 'kysely'
import {
  type DatabaseTarget,
  openRelational,
  rowReader,
  type RowReader,
  type RowWriter,
  rowWriter,
  type SchemaOf,
} from '../relational/index.ts'
import { DIRECTORY_MIGRATIONS } from './migrations.ts'
import { DIRECTORY_TABLES, type DirectoryRow, type DirectoryTables } from './tables.ts'

type Schema = SchemaOf<DirectoryTables>
export type ChainHead = DirectoryRow<'chain_head'>

/** Reading the directory's rows, with the few questions that equality does not answer. */
export interface DirectoryReader extends RowReader<DirectoryTables> {
  /** The membership of somebody whose account is active, in whatever state it is. */
  membershipOf(org: string, user: string): Promise<DirectoryRow<'membership'> | undefined>
  /** The account whose folded address this is: proven by a mail that was opened. */
  provenUser(emailKey: string): Promise<DirectoryRow<'user'> | undefined>
  /** Public, active organisations whose folded name begins so, by name. */
  publicOrganisations(prefix: string, limit: number): Promise<DirectoryRow<'organisation'>[]>
  /** Live and legacy grants on a gateway, anything on it, or these workspaces, by id. */
  grantsReaching(gateway: string, others: readonly string[]): Promise<DirectoryRow<'grant'>[]>
  /** Active saved views of an organisation beyond this id, by id, without what they are made of. */
  viewHeads(
    org: string,
    page: { readonly after: string; readonly limit: number },
  ): Promise<Omit<DirectoryRow<'saved_view'>, 'definition'>[]>
  /** How many live and legacy grants an organisation has on a gateway or anything of its own there. */
  countGrantsOn(gateway: string, org: string): Promise<number>
  /** Mails that wait and whose time has come, oldest first. */
  dueMail(now: number, limit: number): Promise<DirectoryRow<'mail'>[]>
}

/** What every write ends with. */
export interface Finish {
  readonly entries: readonly Omit<DirectoryRow<'policy_log'>, 'position'>[]
  /** Where the chains of these entries end now. */
  readonly heads: readonly ChainHead[]
  /** At least one line. */
  readonly audit: readonly Omit<DirectoryRow<'audit'>, 'position'>[]
  readonly done: DirectoryRow<'done_write'>
}

export interface DirectoryTransaction extends DirectoryReader, RowWriter<DirectoryTables> {
  /** Waits until nobody else writes these chains; heads of chains that have begun. */
  hold(chains: readonly string[]): Promise<ChainHead[]>
  /** Log, heads, audit and the answer for a repetition: one statement where the engine takes several in one. */
  finish(last: Finish): Promise<void>
  /** Ends of chains that no checkpoint has signed yet, by name. */
  unsignedHeads(limit: number): Promise<ChainHead[]>
  /** Takes out what has no use any more: answers older than `before`, sessions, tries and secrets that are over. */
  forget(times: { now: number; before: number }): Promise<void>
  /** Waits until no other transaction has this name, and keeps it to the end. */
  exclusively(name: string): Promise<void>
  /** Counts one attempt in the window; how many there are now. */
  countAttempt(attempt: { bucket: string; now: number; windowMs: number }): Promise<number>
}

/** The directory's database: everything it stores, on SQLite or PostgreSQL. */
export interface DirectoryStore {
  readonly dialect: 'sqlite' | 'postgres'
  readonly read: DirectoryReader
  /** Reads that all see the same moment, whatever is written meanwhile. */
  consistent<T>(work: (read: DirectoryReader) => Promise<T>): Promise<T>
  transaction<T>(work: (tx: DirectoryTransaction) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** Opens and migrates; throws CLOUD_DATABASE_NEWER, CLOUD_DATABASE_UNSAFE, CLOUD_DATABASE_FAILED. */
export async function openDirectoryStore(target: DatabaseTarget): Promise<DirectoryStore> {
  const database = await openRelational<Schema>(target, {
    name: 'directory',
    migrations: DIRECTORY_MIGRATIONS,
  })
  const { dialect, read, close } = database
  return {
    dialect,
    read: readerOn(read),
    close,
    consistent: (work) => database.consistent((tx) => work(readerOn(tx))),
    transaction: (work) => database.transaction((tx) => work(transactionOn(tx, dialect))),
  }
}

function readerOn(db: Kysely<Schema>): DirectoryReader {
  return {
    ...rowReader<DirectoryTables>(db as unknown as Kysely<never>),
    membershipOf: (org, user) =>
      db
        .selectFrom('membership')
        .innerJoin('user', 'user.id', 'membership.user')
        .selectAll('membership')
        .where('membership.org', '=', org)
        .where('membership.user', '=', user)
        .where('user.state', '=', 'active')
        .executeTakeFirst(),
    provenUser: (emailKey) =>
      db
        .selectFrom('user')
        .selectAll()
        .where('email_key', '=', emailKey)
        .where('email_verified_at', 'is not', null)
        .executeTakeFirst(),
    publicOrganisations: (prefix, limit) =>
      db
        .selectFrom('organisation')
        .selectAll()
        .where('visibility', '=', 'public')
        .where('state', '=', 'active')
        .where('name_key', '>=', prefix)
        // Beyond every text that begins so: U+10FFFF sorts last in both engines' code point order.
        .where('name_key', '<', `${prefix}\u{10FFFF}`)
        .orderBy('name_key')
        .limit(limit)
        .execute(),
    grantsReaching: (gateway, others) =>
      db
        .selectFrom('grant')
        .selectAll()
        .where('state', 'in', ['live', 'legacy'])
        .where((eb) =>
          eb.or([...(others.length === 0 ? [] : [eb('resource', 'in', others)]), onGateway(eb, gateway)]),
        )
        .orderBy('id')
        .execute(),
    viewHeads: (org, page) => viewHeads(db, org, page),
    async countGrantsOn(gateway, org) {
      const { rows } = await db
        .selectFrom('grant')
        .select((eb) => eb.fn.countAll().as('rows'))
        .where('org', '=', org)
        .where('state', 'in', ['live', 'legacy'])
        .where((eb) => onGateway(eb, gateway))
        .executeTakeFirstOrThrow()
      return Number(rows)
    },
    dueMail: (now, limit) =>
      db
        .selectFrom('mail')
        .selectAll()
        .where('sent_at', 'is', null)
        .where('next_try_at', '<=', now)
        .orderBy('created_at')
        .limit(limit)
        .execute(),
  }
}

/** Views without what they are made of, in the order of their ids. */
function viewHeads(db: Kysely<Schema>, org: string, { after, limit }: { after: string; limit: number }) {
  return db
    .selectFrom('saved_view')
    .select(['id', 'org', 'owner', 'owner_org', 'owner_incarnation', 'name', 'kind', 'gateways'])
    .select(['state', 'created_at'])
    .where('org', '=', org)
    .where('state', '=', 'active')
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit)
    .execute()
}

/** The gateway, or a path below it: `0` is the character after `/`. */
const onGateway = (eb: ExpressionBuilder<Schema, 'grant'>, gateway: string) =>
  eb.or([
    eb('resource', '=', gateway),
    eb.and([eb('resource', '>', `${gateway}/`), eb('resource', '<', `${gateway}0`)]),
  ])

function transactionOn(tx: Transaction<Schema>, dialect: 'sqlite' | 'postgres'): DirectoryTransaction {
  return {
    ...readerOn(tx),
    ...rowWriter(tx as unknown as Transaction<never>, DIRECTORY_TABLES),
    // In order of their names, so that two writers never wait for each other.
    hold: (chains) =>
      tx
        .selectFrom('chain_head')
        .selectAll()
        .where('chain', 'in', chains)
        .orderBy('chain')
        .$if(dialect === 'postgres', (query) => query.forUpdate())
        .execute(),
    async finish({ entries, heads, audit, done }) {
      // `position` counts up by itself; the row types do not know.
      const log = entries as DirectoryRow<'policy_log'>[]
      const lines = audit as DirectoryRow<'audit'>[]
      const toHeads = (db: QueryCreator<Schema>) =>
        db
          .insertInto('chain_head')
          .values(heads)
          .onConflict((c) =>
            c
              .column('chain')
              .doUpdateSet((eb) => ({ seq: eb.ref('excluded.seq'), hash: eb.ref('excluded.hash') })),
          )
      if (log.length === 0) {
        await tx.insertInto('audit').values(lines).execute()
        await tx.insertInto('done_write').values(done).execute()
      } else if (dialect === 'postgres') {
        await tx
          .with('logged', (db) => db.insertInto('policy_log').values(log).returning('position'))
          .with('moved', (db) => toHeads(db).returning('chain'))
          .with('audited', (db) => db.insertInto('audit').values(lines).returning('position'))
          .insertInto('done_write')
          .values(done)
          .execute()
      } else {
        await tx.insertInto('policy_log').values(log).execute()
        await toHeads(tx).execute()
        await tx.insertInto('audit').values(lines).execute()
        await tx.insertInto('done_write').values(done).execute()
      }
    },
    unsignedHeads: (limit) => unsignedHeads(tx, limit),
    async forget({ now, before }) {
      await tx.deleteFrom('done_write').where('at', '<', before).execute()
      await tx.deleteFrom('attempt').where('since', '<', before).execute()
      await tx.deleteFrom('session').where('expires_at', '<=', now).execute()
      await tx.deleteFrom('verification').where('expires_at', '<=', now).execute()
    },
    async exclusively(name) {
      // SQLite has one writer at a time anyway.
      if (dialect === 'postgres')
        await sql`select pg_advisory_xact_lock(hashtextextended(${name}, 0))`.execute(tx)
    },
    async countAttempt({ bucket, now, windowMs }) {
      const row = await tx
        .insertInto('attempt')
        .values({ bucket, count: 1, since: now })
        .onConflict((c) =>
          c.column('bucket').doUpdateSet((eb) => ({
            count: sql<number>`case when ${eb.ref('attempt.since')} + ${windowMs} <= ${now} then 1 else ${eb.ref('attempt.count')} + 1 end`,
            since: sql<number>`case when ${eb.ref('attempt.since')} + ${windowMs} <= ${now} then ${now} else ${eb.ref('attempt.since')} end`,
          })),
        )
        .returning('count')
        .executeTakeFirstOrThrow()
      return row.count
    },
  }
}

const unsignedHeads = (tx: Transaction<Schema>, limit: number): Promise<ChainHead[]> =>
  tx
    .selectFrom('chain_head')
    .leftJoin('signed_head', 'signed_head.chain', 'chain_head.chain')
    .selectAll('chain_head')
    .where((eb) =>
      eb.or([eb('signed_head.seq', 'is', null), eb('signed_head.seq', '<', eb.ref('chain_head.seq'))]),
    )
    .orderBy('chain_head.chain')
    .limit(limit)
    .execute()
