import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest'
import { havePeer, testWith } from '../../support/peers.ts'
import { until } from '../support.ts'
import { type Site, startSite } from './site.ts'

const run = promisify(execFile)
const LARGE = Buffer.alloc(100_000, 'm')
let site: Site
const children: ChildProcess[] = []

beforeAll(async () => {
  if (!havePeer('openssl')) return
  site = await startSite()
  writeFileSync(join(site.folder, 'large'), LARGE)
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})
afterAll(async () => {
  if (havePeer('openssl')) await site.stop()
})

type Over = 'tcp' | 'tls' | 'unix'

/** Arguments that lead a mosquitto client to a listener, and in. */
function to(over: Over, name: string): string[] {
  const url = site.url(over)
  const id = ['-i', `${over}-${name}`, '-V', 'mqttv311']
  const password = ['-u', name, '-P', 'right']
  if (over === 'unix') return ['--unix', url.slice('unix:'.length), ...id, ...password]
  const { hostname, port } = new URL(url)
  const place = ['-h', hostname, '-p', port, ...id]
  if (over === 'tcp') return [...place, ...password]
  const { cert, key } = site.certificateOf(name)
  return [...place, '--cafile', site.authority.cert, '--cert', cert, '--key', key]
}

const publish = async (over: Over, args: string[]): Promise<void> => {
  await run('mosquitto_pub', [...to(over, 'pub'), ...args], { timeout: 60_000 })
}

/** A running mosquitto_sub; `text` is what it has printed. */
async function subscribe(
  over: Over,
  name: string,
  args: string[],
): Promise<{ text: () => string; child: ChildProcess; ended: Promise<unknown> }> {
  // A publisher that has ended may still be leaving: counted among those before, it would hide the newcomer.
  const before = children.filter(
    ({ exitCode, signalCode }) => exitCode === null && signalCode === null,
  ).length
  await until(() => site.broker.stats().clients === before)
  const child = spawn('mosquitto_sub', [...to(over, name), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await until(() => site.broker.stats().clients > before)
  return { text: () => text, child, ended: once(child, 'close') }
}

const FORMAT = ['-F', '%t %l %q %r']

describe.for(['tcp', 'tls', 'unix'] as const)('mosquitto_sub and mosquitto_pub over %s', (over) => {
  const mosquittoTest = testWith('mosquitto', 'openssl')
  const from = `mosquitto/${over}`
  const large = (): string[] => ['-f', join(site.folder, 'large')]

  mosquittoTest('exchange each quality of service, retained messages and 100 kB', async () => {
    await publish(over, ['-t', `${from}/kept`, '-m', 'kept', '-q', '1', '-r'])
    const sub = await subscribe(over, 'sub', ['-t', `${from}/#`, '-q', '2', '-C', '4', ...FORMAT])
    await until(() => sub.text().includes('kept'))
    for (const qos of ['0', '1', '2']) await publish(over, ['-t', `${from}/${qos}`, '-q', qos, ...large()])
    await sub.ended
    const lines = ['kept 4 1 1', '0 100000 0 0', '1 100000 1 0', '2 100000 2 0']
    expect(sub.text()).toBe(lines.map((line) => `${from}/${line}\n`).join(''))
  })

  mosquittoTest('give every byte back as it was', async () => {
    const sub = await subscribe(over, 'bytes', ['-t', `${from}/bytes`, '-q', '1', '-C', '1', '-N'])
    // The subscription is there when a message comes back.
    const published: Promise<unknown>[] = []
    const timer = setInterval(() => {
      published.push(publish(over, ['-t', `${from}/bytes`, '-q', '1', ...large()]))
    }, 500)
    await sub.ended
    clearInterval(timer)
    await Promise.all(published)
    expect(Buffer.from(sub.text()).equals(LARGE)).toBe(true)
  })

  mosquittoTest('get the will of one that was killed', async () => {
    const sub = await subscribe(over, 'heir', ['-t', `${from}/will`, '-q', '1', '-C', '1'])
    const will = ['--will-topic', `${from}/will`, '--will-payload', 'gone', '--will-qos', '1']
    const mortal = await subscribe(over, 'mortal', ['-t', 'x', ...will])
    mortal.child.kill('SIGKILL')
    await sub.ended
    expect(sub.text()).toBe('gone\n')
  })

  mosquittoTest('find their session again', async () => {
    const session = [...to(over, 'session'), '-c', '-t', `${from}/queue`, '-q', '1']
    await run('mosquitto_sub', [...session, '-E'], { timeout: 60_000 })
    for (const n of ['1', '2', '3']) await publish(over, ['-t', `${from}/queue`, '-m', n, '-q', '1'])
    const { stdout } = await run('mosquitto_sub', [...session, '-C', '3'], { timeout: 60_000 })
    expect(stdout).toBe('1\n2\n3\n')
  })
})
