import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { HardwareError } from '../errors.ts'
import { profileTextNear } from './profile-files.ts'
import type { Numbered, Order, Said } from './remote.ts'
import { loadScenario } from './scenario.ts'
import { type Simulator, type SimulatorStats, startSimulator } from './simulator.ts'

const { values } = parseArgs({
  options: {
    scenario: { type: 'string' },
    pty: { type: 'string' },
    tcp: { type: 'string' },
    truth: { type: 'string' },
  },
})

const say = (said: Said): void => {
  // A parent that has gone hears nothing; `disconnect` ends this process.
  if (process.connected) process.send?.(said)
}

async function obey(simulator: Simulator, order: Order): Promise<SimulatorStats | null> {
  switch (order.do) {
    case 'inject':
      await simulator.inject(order.fault, order.forMs)
      return null
    case 'stats':
      return simulator.stats()
    case 'heal':
    case 'unplug':
    case 'replug':
    case 'stop':
      await simulator[order.do]()
      return null
  }
}

async function main(): Promise<void> {
  const forked = process.connected
  if (values.scenario === undefined)
    throw new HardwareError('SCENARIO_INVALID', 'name a file with --scenario')
  const file = resolve(values.scenario)
  const scenario = loadScenario(readFileSync(file, 'utf8'), profileTextNear(dirname(file)))
  const simulator = await startSimulator({
    scenario,
    expose: values.pty === undefined ? { tcp: Number(values.tcp ?? 0) } : { pty: values.pty },
    ...(values.truth === undefined ? {} : { truthLog: values.truth }),
  })
  const end = async (): Promise<void> => {
    await simulator.stop()
    process.exit(0)
  }
  process.once('SIGTERM', () => void end())
  process.once('SIGINT', () => void end())
  process.once('disconnect', () => void end())
  // The parent may have gone while this was starting; its event has passed then.
  if (forked && !process.connected) await end()
  process.on('message', ({ no, order }: Numbered) => {
    obey(simulator, order).then(
      (stats) => {
        say({ no, stats })
        if (order.do === 'stop') process.exit(0)
      },
      (cause: unknown) => {
        say({ no, failure: cause instanceof Error ? cause.message : String(cause) })
      },
    )
  })
  const ready: Said = { ready: true, port: simulator.port }
  say(ready)
  process.stdout.write(`${JSON.stringify(ready)}\n`)
}

main().catch((cause: unknown) => {
  const words = cause instanceof HardwareError ? `${cause.code}: ${cause.message}` : String(cause)
  process.stderr.write(`${words}\n`)
  process.exit(1)
})
