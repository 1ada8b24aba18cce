import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, expect } from 'vitest'
import { testWith } from '../support/peers.ts'
import { type Bench, startBench, until } from './support.ts'

const run = promisify(execFile)
let bench: Bench
afterEach(() => bench.stop())

/** Arguments that lead a mosquitto client to the bench as this user. */
function as(username: string): string[] {
  const { hostname, port } = new URL(bench.url)
  return ['-h', hostname, '-p', port, '-u', username, '-P', 'right']
}

/** Runs a mosquitto client that gives up after five seconds; answers what it printed and its exit status. */
async function mosquitto(which: 'sub' | 'pub', args: string[]): Promise<{ out: string; code: number }> {
  try {
    const { stdout, stderr } = await run(`mosquitto_${which}`, args, { timeout: 60_000 })
    return { out: stdout + stderr, code: 0 }
  } catch (error) {
    const { stdout, stderr, code } = error as { stdout: string; stderr: string; code: number }
    return { out: stdout + stderr, code }
  }
}

testWith('mosquitto')(
  'mosquitto_sub and mosquitto_pub get what they may, at each quality of service',
  async () => {
    bench = await startBench({ publish: ['ben a'], subscribe: ['ana #'], receive: ['ana a', 'ana kept'] })
    await bench.broker.publish({ topic: 'kept', payload: Buffer.from('0'), qos: 1, retain: true })
    const listening = mosquitto('sub', [...as('ana'), '-t', '#', '-q', '2', '-C', '4', '-W', '5', '-v'])
    await until(() => bench.broker.stats().delivered === 1)
    for (const qos of ['0', '1', '2']) {
      const refused = await mosquitto('pub', [...as('ben'), '-t', 'b', '-m', 'no', '-q', qos])
      const allowed = await mosquitto('pub', [...as('ben'), '-t', 'a', '-m', qos, '-q', qos])
      expect([refused.code, allowed.code]).toEqual([0, 0])
    }
    expect((await listening).out).toBe('kept 0\na 0\na 1\na 2\n')
  },
)

testWith('mosquitto')('mosquitto_sub is told that shared and system topics are refused', async () => {
  bench = await startBench({ subscribe: ['ana #'], receive: ['ana #'] })
  for (const topic of ['$share/g/#', '$SYS/#']) {
    const { out } = await mosquitto('sub', [...as('ana'), '-t', topic, '-W', '5'])
    expect(out).toMatch(/denied/i)
  }
})

testWith('mosquitto')('mosquitto_sub of MQTT 5 is told the protocol version is not spoken', async () => {
  bench = await startBench()
  const { out, code } = await mosquitto('sub', [...as('ana'), '-V', 'mqttv5', '-t', 'a', '-W', '5'])
  expect(code).not.toBe(0)
  expect(out).toMatch(/protocol|refused|lost/i)
})
