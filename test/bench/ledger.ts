import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { sql } from 'kysely'
import { openIncoming } from '../../cloud-sync/cloud/ingest/open.ts'
import { createWorker } from '../../cloud-sync/cloud/ingest/worker.ts'
import { type CloudDatabase, type DatabaseTarget, openLedger } from '../../cloud-sync/cloud/storage/index.ts'
import { ZERO_HASH } from '../../cloud-sync/contract/index.ts'
import type { Bench } from '../support/harness.ts'
import { type PostgresCluster, startPostgres } from '../support/postgres.ts'
import { runScript, writeCopyScript } from './ledger/copy.ts'
import {
  CLOUD_ID,
  EPOCH,
  INTERVALS,
  type Message,
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
  what: 'Usage posted with full verification, counted in register intervals, 200 records a transaction, beside COPY of the same rows.',
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
  progress('copying')
  const copy = await copied(postgres('copy'), { messages: few, script: join(folder, 'copy.sql') })
  progress(`copy: ${copy} intervals/s`)
  const runs: Record<string, number> = {}
  for (const [name, target, messages, gateways] of [
    ['postgres few', postgres('few'), few, FEW],
    ['postgres many', postgres('many'), many, MANY],
    ['sqlite few', sqlite('few'), few, FEW],
    ['sqlite many', sqlite('many'), many, MANY],
  ] as const) {
    progress(name)
    runs[name] = await posted(target, { messages, gateways })
    progress(`${name}: ${runs[name]} intervals/s`)
  }
  const of = (name: string): number => runs[name] ?? 0
  const ofFew = of('postgres few')
  return {
    records: RECORDS,
    intervalsARecord: INTERVALS,
    gateways: [FEW, MANY],
    copyIntervalsPerSecond: copy,
    postgresIntervalsPerSecond: ofFew,
    ofCopy: ofFew / copy,
    postgresManyIntervalsPerSecond: of('postgres many'),
    postgresFewOverMany: ofFew / of('postgres many'),
    sqliteIntervalsPerSecond: of('sqlite few'),
    sqliteManyIntervalsPerSecond: of('sqlite many'),
    sqliteFewOverMany: of('sqlite few') / of('sqlite many'),
    sqliteOverPostgres: of('sqlite few') / ofFew,
  }
}

const perSecond = (messages: readonly Message[], seconds: number): number =>
  Math.round((messages.length * INTERVALS) / seconds)

async function copied(
  target: DatabaseTarget,
  { messages, script }: { messages: readonly Message[]; script: string },
): Promise<number> {
  const db = await openLedger(target)
  const now = Date.now()
  await db.readyFor(now)
  await db.close()
  await writeCopyScript(script, messages, { together: TOGETHER, now })
  const url = target.dialect === 'postgres' ? target.url : ''
  return perSecond(messages, await runScript(url, script))
}

async function posted(
  target: DatabaseTarget,
  { messages, gateways }: { messages: readonly Message[]; gateways: number },
): Promise<number> {
  const log = { info: () => undefined, warn: () => undefined, error: fail }
  const db = await openLedger(target)
  try {
    await opened(db, gateways)
    const monoMs = (): number => performance.now()
    const worker = createWorker({ db, now: Date.now, monoMs, log, committed: () => undefined })
    const started = performance.now()
    for (const [at, { topic, payload }] of messages.entries()) {
      if (at % READ_AT_ONCE === 0) await setImmediate()
      while (at - worker.counts.posted > WAITING_MAX) await setImmediate()
      const incoming = openIncoming({ cloudId: CLOUD_ID, publicKeyOf: () => publicKey }, topic, payload)
      if (!incoming.ok || !worker.offer(incoming.incoming)) throw new Error('refused')
    }
    await worker.idle()
    const seconds = (performance.now() - started) / 1e3
    if (process.env['HEADGATE_BENCH_COUNTS'] !== undefined)
      process.stderr.write(`${JSON.stringify(worker.counts)}\n`)
    const { rows } = await sql<{ n: number }>`select count(*) as n from usage_posting`.execute(db.read)
    if (Number(rows[0]?.n) !== messages.length * INTERVALS) throw new Error('not all of it is posted')
    return perSecond(messages, seconds)
  } finally {
    await db.close()
  }
}

function fail(detail: object, message: string): void {
  throw new Error(`${message}: ${JSON.stringify(detail)}`)
}

/** Gateways made with one statement. */
const MADE_AT_ONCE = 5_000

/** Streams and registers of every gateway, as after its first report of nothing. */
async function opened(db: CloudDatabase, gateways: number): Promise<void> {
  for (let from = 0; from < gateways; from += MADE_AT_ONCE) {
    const last = Math.min(gateways, from + MADE_AT_ONCE) - 1
    const numbers = sql`with recursive g(n) as
      (select cast(${sql.lit(from)} as integer) union all select n + 1 from g where n < ${sql.lit(last)}),
      s(n) as (select 0 union all select n + 1 from s where n < ${sql.lit(SENSORS - 1)})`
    await db.transaction(async (tx) => {
      await sql`insert into stream (gateway, stream, epoch, parent, up_to, head, state, opened_at)
        ${numbers} select 'GW-' || g.n, 'usage', ${sql.lit(EPOCH)}, null, 0, ${sql.lit(ZERO_HASH)}, 'open', 0
        from g`.execute(tx)
      await sql`insert into usage_register (gateway, epoch, meter, subject, gen, org, "end", seq)
        ${numbers} select 'GW-' || g.n, ${sql.lit(EPOCH)}, m.meter, 'sensor:tilt-' || s.n || '/main', 0,
          'acme', 0, 0 from g cross join s cross join (select 'sensor.readings' as meter union all select 'sensor.values'
          union all select 'sensor.payload_bytes') m`.execute(tx)
    })
  }
}
