import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { sql } from 'kysely'
import { createIntake } from '../../cloud-sync/cloud/ingest/intake.ts'
import { createLanes, LANES } from '../../cloud-sync/cloud/ingest/lanes.ts'
import { type CloudDatabase, type DatabaseTarget, openLedger } from '../../cloud-sync/cloud/storage/index.ts'
import { ZERO_HASH } from '../../cloud-sync/contract/index.ts'
import type { Bench } from '../support/harness.ts'
import { type PostgresCluster, startPostgres } from '../support/postgres.ts'
import { cpuSecondsEver } from '../support/process-figures.ts'
import { runScript, writeCopyScript } from './ledger/copy.ts'
import {
  CLOUD_ID,
  EPOCH,
  INTERVALS,
  type Message,
  METERS,
  publicKey,
  SENSORS,
  simulated,
} from './ledger/simulated.ts'

const RECORDS = 10_000
/** As in the ingest: usage records of one transaction. */
const TOGETHER = 200
const FEW = 1_000
const MANY = 100_000
/** Messages read before the sockets have their turn again. */
const READ_AT_ONCE = 16
const WAITING_MAX = 800

export const bench: Bench = {
  what: 'Usage posted as the cloud posts it, with full verification, counted in register intervals, 200 records a transaction, beside COPY of the same rows.',
  async run(progress) {
    const cluster = await startPostgres()
    const folder = mkdtempSync(join(tmpdir(), 'headgate-bench-'))
    try {
      return await measured({ cluster, folder, progress })
    } finally {
      await cluster.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

/** Of one run: intervals a second, and what each cost of every processor of all processes. */
interface Rate {
  readonly perSecond: number
  readonly cpuUs: number
}

async function measured(place: {
  cluster: PostgresCluster
  folder: string
  progress: (text: string) => void
}): Promise<Record<string, unknown>> {
  const { cluster, folder, progress } = place
  const few = simulated({ gateways: FEW, records: RECORDS })
  const many = simulated({ gateways: MANY, records: RECORDS })
  const postgres = (name: string): DatabaseTarget => ({ dialect: 'postgres', url: cluster.database(name) })
  const sqlite = (name: string): DatabaseTarget => ({ dialect: 'sqlite', path: join(folder, `${name}.db`) })
  const told = (name: string, rate: Rate): Rate => {
    progress(`${name}: ${rate.perSecond} intervals/s, ${rate.cpuUs.toFixed(1)} us of processor each`)
    return rate
  }
  const copyOver = (connections: number): Promise<Rate> =>
    copied(postgres(`copy${connections}`), { messages: few, folder, connections })
  const copy = told('copy', await copyOver(1))
  const copies = told(`copy, ${LANES.postgres} connections`, await copyOver(LANES.postgres))
  const pg = told('postgres', await posted(postgres('few'), { messages: few, gateways: FEW }))
  const lite = told('sqlite', await posted(sqlite('few'), { messages: few, gateways: FEW }))
  const liteMany = told('sqlite, many', await posted(sqlite('many'), { messages: many, gateways: MANY }))
  const pgMany = told('postgres, many', await posted(postgres('many'), { messages: many, gateways: MANY }))
  return {
    records: RECORDS,
    recordsATransaction: TOGETHER,
    intervalsARecord: INTERVALS,
    gateways: [FEW, MANY],
    /** Each of the few ten times; of the many a tenth, each for the first time. */
    touched: [FEW, RECORDS],
    connections: LANES.postgres,
    ...{ copy, copies, postgres: pg, sqlite: lite, postgresMany: pgMany, sqliteMany: liteMany },
    postgresOfCopy: pg.perSecond / copy.perSecond,
    postgresOfCopies: pg.perSecond / copies.perSecond,
    postgresOfCopyByCpu: copy.cpuUs / pg.cpuUs,
    sqliteOverPostgres: lite.perSecond / pg.perSecond,
    manyOverFewPostgres: pgMany.cpuUs / pg.cpuUs,
    manyOverFewSqlite: liteMany.cpuUs / lite.cpuUs,
    bars: {
      'at least 30,000 intervals/s on PostgreSQL': pg.perSecond >= 30_000,
      'at least a third of COPY': pg.perSecond >= copy.perSecond / 3,
      'SQLite at least as fast': lite.perSecond >= pg.perSecond,
      'flat within 1.5 on PostgreSQL': pgMany.cpuUs <= 1.5 * pg.cpuUs,
      'flat within 1.5 on SQLite': liteMany.cpuUs <= 1.5 * lite.cpuUs,
    },
  }
}

async function timed(messages: readonly Message[], work: () => Promise<unknown>): Promise<Rate> {
  const cpu = cpuSecondsEver(process.pid)
  const started = performance.now()
  await work()
  const seconds = (performance.now() - started) / 1e3
  const intervals = messages.length * INTERVALS
  return {
    perSecond: Math.round(intervals / seconds),
    cpuUs: ((cpuSecondsEver(process.pid) - cpu) * 1e6) / intervals,
  }
}

async function copied(
  target: DatabaseTarget,
  asked: { messages: readonly Message[]; folder: string; connections: number },
): Promise<Rate> {
  const db = await openLedger(target)
  const now = Date.now()
  await db.readyFor(now)
  await db.close()
  const { messages, folder, connections } = asked
  const scripts = Array.from({ length: connections }, (_, n) => join(folder, `copy${n}of${connections}.sql`))
  for (const [n, script] of scripts.entries()) {
    const own = messages.filter((_, at) => Math.floor(at / TOGETHER) % connections === n)
    await writeCopyScript(script, own, { together: TOGETHER, now })
  }
  const url = target.dialect === 'postgres' ? target.url : ''
  return timed(messages, () => Promise.all(scripts.map((script) => runScript(url, script))))
}

async function posted(
  target: DatabaseTarget,
  { messages, gateways }: { messages: readonly Message[]; gateways: number },
): Promise<Rate> {
  const log = { info: () => undefined, warn: () => undefined, error: fail }
  const db = await openLedger(target)
  try {
    await opened(db, gateways)
    const monoMs = (): number => performance.now()
    let moreRoom = (): void => undefined
    const committed = (): void => {
      moreRoom()
    }
    const worker = createLanes({ db, now: Date.now, monoMs, log, committed })
    const room = (): Promise<void> =>
      new Promise((resolve) => {
        moreRoom = resolve
      })
    const intake = createIntake({ cloudId: CLOUD_ID, publicKeyOf: () => publicKey }, (message) => {
      if (!message.ok || !worker.offer(message.incoming)) throw new Error('refused')
    })
    const rate = await timed(messages, async () => {
      for (const [at, { topic, payload }] of messages.entries()) {
        if (at % READ_AT_ONCE === 0) await setImmediate()
        while (at - worker.counts.posted > WAITING_MAX) await room()
        if (!intake.take(topic, payload)) throw new Error('too many at once')
      }
      await intake.idle()
      await worker.idle()
    })
    const { rows } = await sql<{ n: number }>`select count(*) as n from usage_posting`.execute(db.read)
    if (Number(rows[0]?.n) !== messages.length * INTERVALS) throw new Error('not all of it is posted')
    return rate
  } finally {
    await db.close()
  }
}

function fail(detail: object, message: string): void {
  throw new Error(`${message}: ${JSON.stringify(detail)}`)
}

/** Gateways made with one statement. */
const MADE_AT_ONCE = 5_000

/** Stands as the ledger keeps them. */
const NOTHING_YET = JSON.stringify(METERS.toSorted().map((meter) => [meter, 'acme', '0', 0]))

/** Streams and registers of every gateway, as after its first report of nothing. */
export async function opened(db: CloudDatabase, gateways: number): Promise<void> {
  for (let from = 0; from < gateways; from += MADE_AT_ONCE) {
    const last = Math.min(gateways, from + MADE_AT_ONCE) - 1
    const numbers = sql`with recursive g(n) as
      (select cast(${sql.lit(from)} as integer) union all select n + 1 from g where n < ${sql.lit(last)}),
      s(n) as (select 0 union all select n + 1 from s where n < ${sql.lit(SENSORS - 1)})`
    await db.transaction(async (tx) => {
      await sql`insert into stream (gateway, stream, epoch, parent, up_to, head, state, opened_at)
        ${numbers} select 'GW-' || g.n, 'usage', ${sql.lit(EPOCH)}, null, 0, ${sql.lit(ZERO_HASH)}, 'open', 0
        from g`.execute(tx)
      await sql`insert into usage_register (gateway, epoch, subject, gen, stands)
        ${numbers} select 'GW-' || g.n, ${sql.lit(EPOCH)}, 'sensor:tilt-' || s.n || '/main', 0, ${sql.lit(NOTHING_YET)}
          from g cross join s`.execute(tx)
    })
  }
}
