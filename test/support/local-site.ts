import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const MAIN = join(import.meta.dirname, '../../agent/cli/main.ts')
const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex')

type Who = 'admin' | 'mia'

/** A gateway without a cloud as a real process: `home:admin` owns it, `home:mia` is a member, one device that is not there. */
export interface LocalSite {
  readonly config: string
  /** Both change with a restart. */
  readonly url: string
  readonly broker: string
  readonly keys: Readonly<Record<Who, string>>
  get(path: string, who?: Who): Promise<Response>
  getAs(path: string, login: string, key: string, headers?: Record<string, string>): Promise<Response>
  post(path: string, who: Who, body: object): Promise<Response>
  /** Ends the gateway in this way and starts it again on the same data. */
  restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  end(): Promise<void>
}

const basic = (login: string, key: string): string =>
  `Basic ${Buffer.from(`${login}:${key}`).toString('base64')}`

export async function localSite(): Promise<LocalSite> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-site-'))
  const keys = { admin: randomBytes(32).toString('hex'), mia: randomBytes(32).toString('hex') }
  const config = join(folder, 'gateway.yaml')
  writeFileSync(
    config,
    [
      'gateway: { id: GW-9, dataDir: data }',
      'lines: [{ id: port1, tcp: "127.0.0.1:9" }]',
      'devices: [{ id: tilt-1, line: port1, address: 1, profile: example-tilt/1, every: 1s }]',
      'broker: { listen: ["tcp://127.0.0.1:0"] }',
      'console: { listen: "127.0.0.1:0" }',
      'organisation: { id: home, name: Home }',
      'users:',
      `  - { name: admin, role: owner, keyHash: ${hashOf(keys.admin)} }`,
      `  - { name: mia, role: member, keyHash: ${hashOf(keys.mia)} }`,
      'log: { level: error }',
      '',
    ].join('\n'),
  )
  let running = await started(config)
  const end = async (): Promise<void> => {
    await ended(running.child, 'SIGTERM')
    rmSync(folder, { recursive: true, force: true })
  }
  const getAs: LocalSite['getAs'] = (path, login, key, headers = {}) =>
    fetch(`${running.url}${path}`, { headers: { authorization: basic(login, key), ...headers } })
  return {
    config,
    keys,
    get url() {
      return running.url
    },
    get broker() {
      return running.broker
    },
    async restart(signal) {
      await ended(running.child, signal)
      running = await started(config)
    },
    getAs,
    get: (path, who) =>
      who === undefined ? fetch(`${running.url}${path}`) : getAs(path, `home:${who}`, keys[who]),
    post: (path, who, body) =>
      fetch(`${running.url}${path}`, {
        method: 'POST',
        headers: { authorization: basic(`home:${who}`, keys[who]), 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    end,
  }
}

async function started(config: string): Promise<{ child: ChildProcess; url: string; broker: string }> {
  const child = spawn(process.execPath, [MAIN, 'gateway', '--config', config], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const { console: url, broker } = JSON.parse(line) as { console: string; broker: string[] }
  return { child, url, broker: broker[0] ?? '' }
}

async function ended(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill(signal)
  const late = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await gone
  clearTimeout(late)
}
