import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BrokerProcess, endable } from '../../support/broker-process.ts'
import { freePort } from '../../support/free-port.ts'

const STOCK = join(import.meta.dirname, 'stock-aedes-child.ts')
const STARTS_MS_MAX = 5_000

/** mosquitto without any bound that would make it drop or wait, all in memory. */
export async function startMosquitto(): Promise<BrokerProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-mosquitto-'))
  const port = await freePort()
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'max_inflight_messages 0',
    'max_queued_messages 0',
    'set_tcp_nodelay true',
  ]
  writeFileSync(join(folder, 'mosquitto.conf'), lines.join('\n'))
  const child = spawn('mosquitto', ['-c', join(folder, 'mosquitto.conf')], {
    stdio: 'ignore',
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` },
  })
  const running = endable(child, folder)
  await listening(port)
  return { ...running, port, metricsUrl: null }
}

/** aedes as it comes, with its own parser, delivery and memory. */
export async function startStockAedes(): Promise<BrokerProcess> {
  const child = fork(STOCK, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const running = endable(child)
  const [port] = (await once(child, 'message')) as [number]
  return { ...running, port, metricsUrl: null }
}

async function listening(port: number): Promise<void> {
  for (let waited = 0; waited < STARTS_MS_MAX; waited += 20) {
    const socket = connect(port, '127.0.0.1')
    const answered = await Promise.race([
      once(socket, 'connect').then(() => true),
      new Promise<boolean>((resolve) => {
        socket.once('error', () => {
          resolve(false)
        })
      }),
    ]).catch(() => false)
    socket.destroy()
    if (answered) return
    await sleep(20)
  }
  throw new Error(`nothing listens on ${port}`)
}
