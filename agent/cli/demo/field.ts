import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import {
  type ForkedSimulator,
  forkSimulator,
  HardwareError,
  loadProfile,
  MODBUS_ADDRESSES,
} from '../../../hardware/index.ts'
import { AgentError } from '../../errors.ts'
import { profileText, wholeNumber } from '../arguments.ts'
import { COUNTER_CHANNEL } from './account.ts'
import type { DemoDevice } from './layout.ts'
import type { Answered } from './reckoning.ts'
import type { Field } from './rig.ts'

const KINDS = ['example-tilt/1', 'example-piezo/1', 'example-level/1'] as const
const DEVICES = 10
const EVERY_MS = 1000
const BAUD = 19_200
const FORMAT = '8E1'
const ADDRESS = { least: MODBUS_ADDRESSES[0] ?? 1, most: MODBUS_ADDRESSES.at(-1) ?? 247 }

/** Ten devices of three kinds, by turns of two organisations; or the one at the real port. */
export function demoDevices(options: { real?: string; profile?: string; address: string }): DemoDevice[] {
  if (options.real !== undefined) {
    if (options.profile === undefined) throw new AgentError('USAGE', '--real needs --profile')
    const profile = options.profile.includes('.y') ? resolve(options.profile) : options.profile
    const address = wholeNumber('--address', options.address, ADDRESS)
    return [{ id: 'real', profile, address, organisation: 'acme', everyMs: EVERY_MS }]
  }
  return Array.from({ length: DEVICES }, (_, index) => {
    const profile = KINDS[index % KINDS.length] ?? KINDS[0]
    const kind = profile.slice('example-'.length, profile.indexOf('/'))
    const organisation = index % 2 === 0 ? 'acme' : 'borealis'
    return { id: `${kind}-${index + 1}`, profile, address: index + 1, organisation, everyMs: EVERY_MS }
  })
}

const haveSocat = (): boolean => spawnSync('socat', ['-V'], { stdio: 'ignore' }).status === 0

/** Devices on a paced wire, in a process of their own with a log of their own. Without socat the wire is on TCP. */
export function simulatedField(where: { devices: readonly DemoDevice[]; dir: string }): Field {
  const scenario = join(where.dir, 'scenario.yaml')
  const truthLog = join(where.dir, 'truth.ndjson')
  let simulator: ForkedSimulator | undefined
  let read = 0
  const answers: Answered[] = []
  const running = (): ForkedSimulator => {
    if (simulator === undefined) throw new AgentError('INTERNAL', 'the simulated wire is not running')
    return simulator
  }
  return {
    async start() {
      const devices = where.devices.map(({ id, profile, address }) => ({
        id,
        profile,
        address,
        counter: COUNTER_CHANNEL,
      }))
      writeFileSync(scenario, stringify({ line: { baud: BAUD, format: FORMAT }, devices }))
      const expose = haveSocat() ? { pty: join(where.dir, 'wire') } : { tcp: 0 }
      simulator = await forkSimulator({ scenario, expose, truthLog })
    },
    async stop() {
      await simulator?.stop()
    },
    line() {
      const { port } = running()
      const speed = { id: 'wire', baud: BAUD, format: FORMAT }
      if (port.kind === 'tcp') return { ...speed, tcp: `${port.host}:${port.port}` }
      return { ...speed, path: port.kind === 'path' ? port.path : '' }
    },
    async unplug(ms) {
      await running().unplug()
      await sleep(ms)
      await running().replug()
    },
    async silence(device, ms) {
      await running().inject({ fault: 'dead', probability: 1, ...(device === null ? {} : { device }) }, ms)
      return true
    },
    answered() {
      if (!existsSync(truthLog)) return answers
      const text = readFileSync(truthLog, 'utf8')
      const end = text.lastIndexOf('\n') + 1
      for (const line of text.slice(read, end).split('\n')) {
        if (line !== '') answers.push(JSON.parse(line) as Answered)
      }
      read = end
      return answers
    },
  }
}

/**
 * A real serial port, at the speed of the device's profile: no faults, and no log to compare with, only store, cloud
 * and bill with each other.
 * @throws HardwareError LINE_UNAVAILABLE, or what is wrong with the profile; AgentError PROFILE_NOT_FOUND
 */
export function realField(port: string, profile: string): Field {
  const { baud, format } = loadProfile(profileText(profile)).line
  if (!existsSync(port)) throw new HardwareError('LINE_UNAVAILABLE', `${port} is not there`)
  return {
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
    line: () => ({ id: 'real', path: resolve(port), baud, format }),
    unplug: () => Promise.resolve(),
    silence: () => Promise.resolve(false),
    answered: () => null,
  }
}
