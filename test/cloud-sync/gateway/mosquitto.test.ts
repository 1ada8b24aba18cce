import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type Stream, STREAMS } from '../../../cloud-sync/contract/index.ts'
import { freePort } from '../../support/free-port.ts'
import { testWith } from '../../support/peers.ts'
import { makeBench } from './link-bench.ts'

const isListening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => {
      resolve(false)
    })
  })

async function startMosquitto(folder: string): Promise<{ port: number; child: ChildProcess }> {
  const port = await freePort()
  const config = join(folder, 'mosquitto.conf')
  writeFileSync(config, `listener ${String(port)} 127.0.0.1\nallow_anonymous true\npersistence false\n`)
  // Debian puts it where an ordinary user's PATH does not look.
  const program = existsSync('/usr/sbin/mosquitto') ? '/usr/sbin/mosquitto' : 'mosquitto'
  const child = spawn(program, ['-c', config], { stdio: 'ignore' })
  await expect.poll(() => isListening(port), { timeout: 60_000 }).toBe(true)
  return { port, child }
}

testWith('mosquitto')('over mosquitto too, everything arrives once through a link that is cut', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-mosquitto-'))
  const { port, child } = await startMosquitto(folder)
  const bench = await makeBench({ brokerPort: port })
  const items = (stream: Stream): string[] =>
    Array.from({ length: 20 }, (_, at) => `${stream} ${String(at + 1)}`)
  try {
    await bench.uplink.start(new AbortController().signal)
    for (const stream of STREAMS) bench.outbox.add(stream, ...items(stream).slice(0, 10))
    await expect.poll(() => bench.cloud.items('usage').length, { timeout: 60_000 }).toBeGreaterThan(0)
    bench.proxy.cut()
    for (const stream of STREAMS) bench.outbox.add(stream, ...items(stream).slice(10))
    await expect.poll(() => bench.outbox.isEmpty, { timeout: 60_000 }).toBe(true)
    for (const stream of STREAMS) expect(bench.cloud.items(stream)).toEqual(items(stream))
    expect(bench.cloud.faults).toEqual([])
    expect(bench.membership.version()).toBe(7)
  } finally {
    await bench.stop()
    child.kill()
    rmSync(folder, { recursive: true })
  }
})
