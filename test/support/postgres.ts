import { execFileSync, spawn } from 'node:child_process'
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

const START_TRIES_MAX = 200
const START_WAIT_MS = 50

export interface PostgresCluster {
  /** A new, empty schema, seen as a whole database: `postgres://…` over the Unix socket. */
  database(name: string): string
  /** Takes every row out of such a schema, append-only tables too. */
  empty(name: string, tables: readonly string[]): Promise<void>
  stop(): Promise<void>
}

/** Where Debian keeps the server's programs, the newest version; undefined where there is none. */
function programs(): string {
  const top = '/usr/lib/postgresql'
  const [newest] = readdirSync(top).sort((a, b) => Number(b) - Number(a))
  if (newest === undefined) throw new Error('no PostgreSQL')
  return join(top, newest, 'bin')
}

/** The server refuses to run as root: Debian's package has a user for it. */
function serverUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const [, , uid, gid] = execFileSync('getent', ['passwd', 'postgres'], { encoding: 'utf8' }).split(':')
  return { uid: Number(uid), gid: Number(gid) }
}

/** Starts a cluster of its own in a temporary folder, reachable by its Unix socket only, every commit synced. */
export async function startPostgres(): Promise<PostgresCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-pg-'))
  const user = serverUser()
  if (user !== undefined) chownSync(folder, user.uid, user.gid)
  const name = user === undefined ? userInfo().username : 'postgres'
  const data = join(folder, 'data')
  const bin = programs()
  const as = { ...user, cwd: folder, env: { PATH: process.env['PATH'], LANG: 'C.UTF-8' } }
  execFileSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', name, '-A', 'trust', '-E', 'UTF8', '--no-instructions'],
    {
      ...as,
      stdio: 'ignore',
    },
  )
  const settings = [
    'listen_addresses=',
    `unix_socket_directories=${folder}`,
    'fsync=on',
    'max_connections=60',
  ]
  const server = spawn(
    join(bin, 'postgres'),
    ['-D', data, ...settings.flatMap((setting) => ['-c', setting])],
    { ...as, stdio: 'ignore' },
  )
  const ended = new Promise<void>((resolve) =>
    server.once('exit', () => {
      resolve()
    }),
  )
  const stop = async (): Promise<void> => {
    // SIGINT is the server's fast shutdown: it ends its sessions and does not wait for them.
    server.kill('SIGINT')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await answers(data)
  } catch (error) {
    await stop()
    throw error
  }
  const pool = new pg.Pool({ host: folder, user: name, database: 'postgres', max: 1 })
  pool.on('error', () => undefined)
  const psql = (command: string): void => {
    execFileSync(join(bin, 'psql'), ['-h', folder, '-U', name, '-d', 'postgres', '-qc', command], as)
  }
  return {
    database(called) {
      psql(`create schema "${called}"`)
      const options = encodeURIComponent(`-c search_path=${called}`)
      return `postgres://${name}@localhost/postgres?host=${encodeURIComponent(folder)}&options=${options}`
    },
    async empty(called, tables) {
      const deletes = tables.map((table) => `delete from "${called}"."${table}"`)
      // As a replica applies them: without triggers.
      await pool.query(['set session_replication_role = replica', ...deletes].join('; '))
    },
    async stop() {
      await pool.end()
      await stop()
    },
  }
}

async function answers(data: string): Promise<void> {
  for (let tries = 0; tries < START_TRIES_MAX; tries += 1) {
    await sleep(START_WAIT_MS)
    if (statusOf(data) === 'ready') return
  }
  throw new Error('PostgreSQL does not answer')
}

/** The last line of the server's own pid file. */
function statusOf(data: string): string {
  try {
    return readFileSync(join(data, 'postmaster.pid'), 'utf8').trim().split('\n').at(-1)?.trim() ?? ''
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  }
}
