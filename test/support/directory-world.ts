import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, type TestAPI, test } from 'vitest'
import {
  type Actor,
  type Call,
  createHashing,
  createOrgDirectory,
  type DirectoryErrorCode,
  type DirectoryWorld,
  type OrgDirectory,
  type Outcome,
  rebuildDirectory,
} from '../../cloud-sync/cloud/directory/index.ts'
import {
  type DatabaseTarget,
  DIRECTORY_TABLES,
  type DirectoryStore,
  openDirectoryStore,
  POLICY_TABLES,
  type PolicyTable,
} from '../../cloud-sync/cloud/storage/index.ts'
import { havePeer } from './peers.ts'
import { type PostgresCluster, startPostgres } from './postgres.ts'

/** The cheapest that scrypt takes: tests are about the rules, not about the cost of guessing. */
const CHEAP = { cost: 2, blockSize: 1, parallelism: 1 }
export const DAY_MS = 24 * 3_600_000
const START_MS = Date.UTC(2026, 0, 5)

/** A directory with a clock and a chance of its own, and short ways to act in it. */
export interface TestDirectory extends OrgDirectory {
  readonly store: DirectoryStore
  readonly world: DirectoryWorld
  /** Moves the clock. */
  pass(ms: number): void
  now(): number
  /** A new write of this user for this organisation. */
  as(user: string, org?: string | null, scope?: 'full' | 'read' | 'write'): Call
  actor(user: string, org?: string | null, scope?: 'full' | 'read' | 'write'): Actor
  readonly operator: () => Call
  readonly visitor: () => Call
  /** Signs somebody up, `NAME@example.org`, who confirms the address; with an organisation of their own where one is named. */
  person(name: string, org?: string, more?: object): Promise<string>
  /** Invites and accepts. */
  joins(user: string, org: string, role: string, by: string): Promise<void>
  /** The secret in the newest mail to this address. */
  secretFor(email: string): Promise<string>
  mailsTo(email: string): Promise<{ subject: string; body: string }[]>
  close(): Promise<void>
}

export async function openTestDirectory(
  target: DatabaseTarget,
  more: Partial<DirectoryWorld> = {},
): Promise<TestDirectory> {
  const store = await openDirectoryStore(target)
  let now = START_MS
  let ids = 0
  let keys = 0
  const world: DirectoryWorld = {
    store,
    now: () => (now += 1),
    newId: () => `id-${String((ids += 1)).padStart(6, '0')}`,
    newSecret: () => `s${String((ids += 1)).padStart(42, '0')}`,
    scryptCost: CHEAP,
    hashing: createHashing(),
    fingerprintKey: new Uint8Array(32),
    siteUrl: 'https://headgate.example',
    ...more,
  }
  const directory = createOrgDirectory(world)
  const actor = (
    user: string,
    org: string | null = null,
    scope: 'full' | 'read' | 'write' = 'full',
  ): Actor => ({
    kind: 'user',
    user,
    org,
    scope,
  })
  const call = (by: Actor): Call => ({ actor: by, key: `k${(keys += 1)}` })
  const as: TestDirectory['as'] = (user, org, scope) => call(actor(user, org, scope))
  const visitor = (): Call => call({ kind: 'visitor', address: `198.51.100.${keys % 250}` })
  const mailsTo = (email: string) =>
    store.read.find('mail', { recipient: email }, { orderBy: ['created_at', 'id'] })
  const secretFor = async (email: string): Promise<string> =>
    /#(\S{43})/.exec((await mailsTo(email)).at(-1)?.body ?? '')?.[1] ?? ''
  return {
    ...directory,
    store,
    world,
    pass: (ms) => void (now += ms),
    now: () => now,
    actor,
    as,
    visitor,
    operator: () => call({ kind: 'operator', name: 'op' }),
    async person(name, org, more = {}) {
      const organisation = org === undefined ? undefined : { id: org, name: org, ...more }
      await done(
        directory.write.users.signUp(visitor(), {
          username: name,
          email: `${name}@example.org`,
          password: `${name}-password`,
          name,
          ...(organisation === undefined ? {} : { organisation }),
        }),
      )
      const secret = await secretFor(`${name}@example.org`)
      await done(directory.write.users.verifyEmail(visitor(), { secret }))
      return name
    },
    async joins(user, org, role, by) {
      await done(
        directory.write.invitations.invite(as(by, org), {
          org,
          email: `${user}@example.org`,
          role: role as never,
        }),
      )
      const secret = await secretFor(`${user}@example.org`)
      await done(directory.write.invitations.accept(as(user), { secret }))
    },
    secretFor,
    mailsTo,
    close: () => store.close(),
  }
}

/** The value of a write or question that must have been done. */
export async function done<R>(outcome: Promise<Outcome<R>>): Promise<R> {
  const got = await outcome
  if (!got.ok) throw new Error(`${got.code}: ${got.message}`)
  return got.value
}

/** The code with which it was refused. */
export async function refusal(outcome: Promise<Outcome<unknown>>): Promise<DirectoryErrorCode | 'done'> {
  const got = await outcome
  if (got.ok) return 'done'
  expect(got.hint.length).toBeGreaterThan(0)
  return got.code
}

/** A suite over SQLite files, one for each test. */
export function onSqlite(suite: (engine: Engine) => void): void {
  describe('SQLite', () => {
    let folder = ''
    let made = 0
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'headgate-directory-'))
    })
    afterAll(() => {
      rmSync(folder, { recursive: true, force: true })
    })
    const target = (): DatabaseTarget => ({ dialect: 'sqlite', path: join(folder, `d${(made += 1)}.db`) })
    suite({ target, with: withDirectory(test, () => Promise.resolve(target())) })
  })
}

/** The same suite over both engines; each test begins with an empty directory. */
export function onBothEngines(suite: (engine: Engine) => void): void {
  onSqlite(suite)
  const postgres = havePeer('postgresql')
  describe(postgres ? 'PostgreSQL' : 'PostgreSQL [needs postgresql: run test/peers/install as root]', () => {
    let cluster: PostgresCluster | undefined
    let made = 0
    let shared: DatabaseTarget | undefined
    beforeAll(async () => {
      if (postgres) cluster = await startPostgres()
    }, 60_000)
    afterAll(async () => {
      await cluster?.stop()
    }, 30_000)
    const target = (): DatabaseTarget => ({
      dialect: 'postgres',
      url: cluster?.database(`d${(made += 1)}`) ?? '',
    })
    // Making all tables anew costs half a second, taking all rows out nothing.
    const emptied = async (): Promise<DatabaseTarget> => {
      if (shared === undefined) return (shared = target())
      await cluster?.empty('d1', Object.keys(DIRECTORY_TABLES))
      return shared
    }
    suite({ target, with: withDirectory((postgres ? test : test.skip) as TestAPI, emptied) })
  })
}

export interface Engine {
  /** A test with an open, empty directory. */
  with(name: string, body: (directory: TestDirectory) => Promise<void>, more?: Partial<DirectoryWorld>): void
  /** Another empty database. */
  target(): DatabaseTarget
}

function withDirectory(say: TestAPI, target: () => Promise<DatabaseTarget>): Engine['with'] {
  return (name, body, more) => {
    say(name, async () => {
      const directory = await openTestDirectory(await target(), more)
      try {
        await body(directory)
        await expectRebuilt(directory.store)
      } finally {
        await directory.close()
      }
    })
  }
}

/** The log is the ground state: replayed into an empty directory it gives the same rows, in every test. */
async function expectRebuilt(store: DirectoryStore): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-rebuilt-'))
  const rebuilt = await openDirectoryStore({ dialect: 'sqlite', path: join(folder, 'directory.db') })
  try {
    await rebuildDirectory(store, rebuilt)
    for (const [table, { key }] of Object.entries(POLICY_TABLES) as [
      PolicyTable,
      { key: readonly string[] },
    ][]) {
      const rows = async (from: DirectoryStore): Promise<unknown[]> =>
        from.read.find(table, {}, { orderBy: key as never })
      expect(await rows(rebuilt), table).toEqual(await rows(store))
    }
  } finally {
    await rebuilt.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
