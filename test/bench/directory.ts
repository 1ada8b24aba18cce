import { randomBytes, randomUUID } from 'node:crypto'
import pg from 'pg'
import {
  createHashing,
  createOrgDirectory,
  type OrgDirectory,
  type Outcome,
} from '../../cloud-sync/cloud/directory/index.ts'
import { openDirectoryStore } from '../../cloud-sync/cloud/storage/index.ts'
import type { Bench } from '../support/harness.ts'
import { startPostgres } from '../support/postgres.ts'

const ORGANISATIONS = 100
const CONNECTIONS = 20
const MEASURED_MS = 10_000
const CHEAP = { cost: 2, blockSize: 1, parallelism: 1 }

export const bench: Bench = {
  what: 'Directory writes on PostgreSQL with fsync, log and audit included, beside plain single-row inserts.',
  async run(progress) {
    const cluster = await startPostgres()
    try {
      const url = cluster.database('directory')
      progress('founding organisations')
      const store = await openDirectoryStore({ dialect: 'postgres', url, connections: CONNECTIONS })
      const directory = createOrgDirectory({
        store,
        now: Date.now,
        newId: randomUUID,
        newSecret: () => randomBytes(32).toString('base64url'),
        scryptCost: CHEAP,
        hashing: createHashing(),
        fingerprintKey: new Uint8Array(32),
        siteUrl: 'https://headgate.example',
      })
      for (let n = 0; n < ORGANISATIONS; n += 1) await found(directory, n)
      progress('writing')
      const written = await measured((n) => write(directory, n))
      const entries = await store.read.find(
        'policy_log',
        {},
        { orderBy: ['position'], descending: true, limit: 1 },
      )
      await store.close()
      progress('plain inserts')
      const inserted = await plainInserts(url)
      return {
        organisations: ORGANISATIONS,
        connections: CONNECTIONS,
        writesPerSecond: written.perSecond,
        p50Ms: written.p50Ms,
        p99Ms: written.p99Ms,
        logPositions: entries[0]?.position ?? 0,
        plainInsertsPerSecond: inserted.perSecond,
        plainOverDirectory: inserted.perSecond / written.perSecond,
      }
    } finally {
      await cluster.stop()
    }
  },
}

async function found(directory: OrgDirectory, n: number): Promise<void> {
  const outcome = await directory.write.users.signUp(
    { actor: { kind: 'operator', name: 'bench' }, key: `sign-up-${n}` },
    {
      username: `user-${n}`,
      email: `user-${n}@example.org`,
      password: 'some-password',
      name: `User ${n}`,
      organisation: { id: `org-${n}`, name: `Organisation ${n}` },
    },
  )
  if (!outcome.ok) throw new Error(outcome.message)
}

/** Five kinds in turn, over all organisations. */
async function write({ write }: OrgDirectory, n: number): Promise<void> {
  const org = `org-${n % ORGANISATIONS}`
  const call = {
    actor: { kind: 'user', user: `user-${n % ORGANISATIONS}`, org, scope: 'full' },
    key: `write-${n}`,
  } as const
  const kinds: (() => Promise<Outcome<unknown>>)[] = [
    () => write.organisations.update(call, { org, description: `number ${n}` }),
    () => write.teams.create(call, { org, handle: `team-${n}`, name: 'Team' }),
    () => write.workspaces.create(call, { org, name: `Workspace ${n}` }),
    () => write.organisations.setVisibility(call, { org, visibility: n % 2 === 0 ? 'public' : 'private' }),
    () => write.tokens.regenerateKey(call, { org }),
  ]
  const outcome = await kinds[Math.floor(n / ORGANISATIONS) % kinds.length]?.()
  if (outcome?.ok !== true) throw new Error(outcome?.message ?? 'no such kind')
}

/** As many at once as there are connections, for a while. */
async function measured(
  once: (n: number) => Promise<unknown>,
): Promise<{ perSecond: number; p50Ms: number; p99Ms: number }> {
  const took: number[] = []
  let n = 0
  const started = performance.now()
  const end = started + MEASURED_MS
  const worker = async (): Promise<void> => {
    while (performance.now() < end) {
      const begun = performance.now()
      await once((n += 1))
      took.push(performance.now() - begun)
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, worker))
  const seconds = (performance.now() - started) / 1e3
  took.sort((a, b) => a - b)
  const at = (share: number): number => Math.round(took[Math.floor(took.length * share)] ?? 0)
  return { perSecond: Math.round(took.length / seconds), p50Ms: at(0.5), p99Ms: at(0.99) }
}

async function plainInserts(url: string): Promise<{ perSecond: number }> {
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS })
  // The cluster ends with the bench; a connection that is told so is no failure.
  pool.on('error', () => undefined)
  try {
    await pool.query('create table plain (id text primary key, org text not null, at bigint not null)')
    return await measured((n) =>
      pool.query('insert into plain values ($1, $2, $3)', [`${n}`, `org-${n}`, Date.now()]),
    )
  } finally {
    await pool.end()
  }
}
