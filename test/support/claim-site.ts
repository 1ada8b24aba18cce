import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import { claimKeyOf, openChallenge, sealSiteProof, ticketIdIn } from '../../cloud-sync/codec/index.ts'
import { askGateway } from '../../agent/local-api/client.ts'
import type { GatewayState } from '../../agent/local-api/state.ts'
import { type ClaimLabel, SiteProof } from '../../cloud-sync/contract/index.ts'
import type { Defer } from './cloud-process.ts'
import { LinkProxy } from './link-proxy.ts'

const MAIN = join(import.meta.dirname, '../../agent/cli/main.ts')
const STATE_MS_MAX = 60_000
/** A gateway lets nobody ask more than 60 times in a minute; what comes soon is seen soon. */
const ASK_EVERY_MS = 1_100
const ASK_AGAIN_MS = 300
/** Who asks for the state is not counted. */
const LOOK_EVERY_MS = 100
/** What the cloud has for a gateway comes within this time of the connection. */
const TOLD_MS_MAX = 2_000

const DIRECTORY = `organisations: [{id: acme, name: Acme}, {id: borealis, name: Borealis}]
members:
  - {organisation: acme, name: ana, role: owner}
  - {organisation: borealis, name: bea, role: owner}
keys:
  - {organisation: acme, name: ana, member: ana, key: ana-key}
  - {organisation: borealis, name: bea, member: bea, key: bea-key}
`

/** A command's answer. */
export interface Ran {
  readonly code: number | null
  readonly json: Record<string, unknown>
}

export type Asker = 'acme:ana' | 'borealis:bea' | 'operator' | 'anybody'
export interface Answered {
  readonly status: number
  readonly text: string
  readonly body: Record<string, unknown>
}

/** One gateway of a claim site: a folder, and a process while it runs. */
export interface SiteGateway {
  readonly serial: string
  /** Arguments by which a command finds it on this machine. */
  readonly here: readonly string[]
  /** What the cloud showed when it was provisioned. */
  readonly label: string
  readonly provisioned: Record<string, unknown>
  /** Its console, while it runs. */
  readonly console: () => string
  /** Its broker, while it runs. */
  readonly broker: () => string
  start(): Promise<void>
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** What it says of its claim. */
  facts(): Promise<Record<string, unknown>>
  /** Waits until it has its cloud, and has been told what the cloud has for it. */
  linked(): Promise<void>
  /** Waits until it is so, and answers what it says then. */
  until(state: string): Promise<Record<string, unknown>>
}

/** A real cloud and real gateways with a link that can be cut; acme and borealis are there, nobody owns anything. */
export interface ClaimSite {
  readonly folder: string
  readonly url: () => string
  /** Arguments of the operator, of a member. */
  readonly operator: () => readonly string[]
  readonly member: (login: 'acme:ana' | 'borealis:bea') => readonly string[]
  readonly link: LinkProxy
  /** Runs `headgate … --json`. */
  readonly run: (...args: readonly string[]) => Promise<Ran>
  /**
   * @param more options of `headgate cloud provision`
   * @param field lines and devices of its `gateway.yaml`
   */
  addGateway(serial: string, more?: readonly string[], field?: object): Promise<SiteGateway>
  /** Presses the button of a gateway. */
  press(serial: string): void
  /** Asks the cloud's API, in the name of a member or as the operator. */
  ask(as: Asker, line: string, body?: object): Promise<Answered>
  /** Ends the cloud and starts it again; the address of its API is another one. */
  restartCloud(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

export async function claimSite(defer: Defer, { linked = true } = {}): Promise<ClaimSite> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-claim-'))
  defer(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  writeFileSync(join(folder, 'directory.yaml'), DIRECTORY)
  for (const name of ['ana', 'bea']) writeFileSync(join(folder, `${name}.key`), `${name}-key`)
  const yaml = join(folder, 'cloud.yaml')
  writeCloud(yaml, 0)
  const startCloud = () => started(['cloud', '--config', yaml], { cwd: folder, defer })
  let cloud = await startCloud()
  const { hostname, port } = new URL(String((cloud.ready['mqtt'] as string[])[0]))
  // The broker keeps its port, so that gateways find it again.
  writeCloud(yaml, Number(port))
  const link = new LinkProxy({ host: hostname, port: Number(port) })
  link.isRefusing = !linked
  const linkPort = await link.start()
  defer(() => link.stop())
  const url = (): string => String(cloud.ready['http'])
  const tokenFile = join(folder, 'cloud', 'operator.token')
  const operator = (): readonly string[] => ['--url', url(), '--token-file', tokenFile]
  const run = (...args: readonly string[]): Promise<Ran> => ran(args, folder)
  return {
    folder,
    url,
    link,
    run,
    operator,
    member: (login) => ['--url', url(), '--login', login, '--key-file', `${login.split(':')[1] ?? ''}.key`],
    addGateway: async (serial, more = [], field = { lines: [], devices: [] }) => {
      const trust = String(cloud.ready['trust'])
      const config = writeGateway({ folder, serial, linkPort, trust, field })
      const key = await run('gateway', '--config', config, '--print-key')
      const birth = join(folder, serial, 'claim.birth')
      const asked = ['--serial', serial, '--model', 'HG-4', '--pubkey', String(key.json['publicKey'])]
      const json = (await run('cloud', 'provision', ...operator(), ...asked, '--birth', birth, ...more)).json
      return gatewayOf({ serial, config, provisioned: json }, { folder, defer })
    },
    press: (serial) => {
      writeFileSync(join(folder, `${serial}.button`), `${Date.now()}`)
    },
    ask: (as, line, body) => {
      const authorization = authorizationOf(as, tokenFile)
      return asked(`${url()}${line.slice(line.indexOf(' ') + 1)}`, { line, authorization, body })
    },
    async restartCloud(signal) {
      await cloud.end(signal)
      cloud = await startCloud()
    },
  }
}

function authorizationOf(as: Asker, tokenFile: string): string | undefined {
  if (as === 'anybody') return undefined
  if (as === 'operator') return `Bearer ${readFileSync(tokenFile, 'utf8').trim()}`
  const key = `${as.split(':')[1] ?? ''}-key`
  return `Basic ${Buffer.from(`${as}:${key}`).toString('base64')}`
}

async function asked(
  url: string,
  request: { line: string; authorization?: string | undefined; body: object | undefined },
): Promise<Answered> {
  const { line, authorization, body } = request
  const response = await fetch(url, {
    method: line.split(' ')[0] ?? 'GET',
    headers: {
      ...(authorization === undefined ? {} : { authorization }),
      'idempotency-key': randomUUID(),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return {
    status: response.status,
    text,
    body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>,
  }
}

/** What somebody at the gateway sends with this label and ticket; `ask` posts to whichever door of the gateway. */
export async function siteProof({
  label,
  sealed,
  ask,
}: {
  readonly label: ClaimLabel
  readonly sealed: string
  readonly ask: (path: string, body: object) => Promise<unknown>
}): Promise<{ ticket: string; proof: string }> {
  const nonceP = randomUUID().replaceAll('-', '')
  const body = (await ask('/v1/claim/challenge', { nonce: nonceP })) as Record<string, unknown>
  const publicKey = String(body['publicKey'])
  const challenge = openChallenge(Buffer.from(String(body['challenge']), 'base64'), { nonceP, publicKey })
  const ticket = ticketIdIn(Buffer.from(sealed, 'base64'))
  const key = await claimKeyOf(label.serial, label.code)
  const said = SiteProof.parse({ v: 1, gateway: label.serial, nonceP, nonceG: challenge?.nonceG, ticket })
  return { ticket: sealed, proof: Buffer.from(sealSiteProof(said, key)).toString('base64') }
}

/** Claims at the gateway's console. */
export async function claimAt(
  gateway: Pick<SiteGateway, 'console' | 'serial'>,
  by: { readonly label: ClaimLabel; readonly sealed: string },
): Promise<Answered> {
  const ask = async (path: string, body: object) => (await postedAt(gateway, path, body)).body
  return postedAt(gateway, '/v1/claim', await siteProof({ ...by, ask }))
}

/** Posts to the gateway's console, as anybody there can. */
export const postedAt = (
  gateway: Pick<SiteGateway, 'console'>,
  path: string,
  body: object,
): Promise<Answered> => asked(`${gateway.console()}${path}`, { line: `POST ${path}`, body })

const writeCloud = (path: string, mqttPort: number): void => {
  const listen = `listen: {mqtt: ["tcp://127.0.0.1:${mqttPort}"], http: "127.0.0.1:0"}`
  writeFileSync(path, `${listen}\ndataDir: cloud\ndirectory: directory.yaml\n`)
}

function writeGateway(of: {
  folder: string
  serial: string
  linkPort: number
  trust: string
  field: object
}): string {
  const { folder, serial, linkPort, trust, field } = of
  const path = join(folder, `${serial}.yaml`)
  const lines = [
    `gateway: {id: ${serial}, dataDir: ${serial}}`,
    stringify({ uplink: { reconnectMax: '1s' }, ...field }).trimEnd(),
    'broker: {listen: ["tcp://127.0.0.1:0"], anonymous: none}',
    'console: {listen: "127.0.0.1:0"}',
    `claim: {button: ${join(folder, `${serial}.button`)}}`,
    `cloud: {url: "mqtt://127.0.0.1:${linkPort}", trust: "${trust}"}`,
  ]
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

function gatewayOf(
  { serial, config, provisioned }: { serial: string; config: string; provisioned: Ran['json'] },
  { folder, defer }: { folder: string; defer: Defer },
): SiteGateway {
  let process: Started | undefined
  const here = ['--config', config]
  const url = (): string => String(process?.ready['console'])
  // By the socket, which counts its askings apart: the console's are for who claims.
  const facts = async () => (await askGateway(join(folder, serial), '/v1/claim')) as Ran['json']
  return {
    serial,
    here,
    label: String(provisioned['label']),
    provisioned,
    console: url,
    broker: () => String((process?.ready['broker'] as string[])[0]),
    facts,
    async start() {
      process = await started(['gateway', ...here], { cwd: folder, defer })
    },
    async end(signal) {
      await process?.end(signal)
    },
    async linked() {
      const late = Date.now() + STATE_MS_MAX
      for (;;) {
        const { link } = (await askGateway(join(folder, serial), '/v1/status')) as GatewayState
        if (link?.['state'] === 'online') break
        if (Date.now() > late) throw new Error(`${serial} is ${String(link?.['state'])}, never online`)
        await sleep(LOOK_EVERY_MS)
      }
      await sleep(TOLD_MS_MAX)
    },
    async until(state) {
      const late = Date.now() + STATE_MS_MAX
      for (let waitMs = ASK_AGAIN_MS; ; waitMs = Math.min(2 * waitMs, ASK_EVERY_MS)) {
        const now = await facts()
        if (now['state'] === state) return now
        if (Date.now() > late) throw new Error(`${serial} is ${String(now['state'])}, never ${state}`)
        await sleep(waitMs)
      }
    },
  }
}

interface Started {
  readonly child: ChildProcess
  /** Its first line. */
  readonly ready: Record<string, unknown>
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

const spawned = (args: readonly string[], cwd: string): ChildProcess =>
  spawn(process.execPath, [MAIN, ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HEADGATE_KEY: '', HEADGATE_DATA: '/nonexistent' },
  })

async function started(
  args: readonly string[],
  { cwd, defer }: { cwd: string; defer: Defer },
): Promise<Started> {
  const child = spawned([...args, '--json'], cwd)
  const gone = once(child, 'exit')
  let told = ''
  child.stderr?.on('data', (chunk: Buffer) => (told = `${told}${chunk.toString()}`.slice(-4_000)))
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    await gone
  }
  defer(() => end('SIGKILL'))
  if (child.stdout === null) throw new Error('it has a standard output')
  const first = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), gone])
  if (typeof first[0] !== 'string') throw new Error(`${args.join(' ')} ended: ${told}`)
  return { child, ready: JSON.parse(first[0]) as Record<string, unknown>, end }
}

async function ran(args: readonly string[], cwd: string): Promise<Ran> {
  const child = spawned([...args, '--json'], cwd)
  let out = ''
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()))
  await once(child, 'close')
  return { code: child.exitCode, json: JSON.parse(out) as Ran['json'] }
}
