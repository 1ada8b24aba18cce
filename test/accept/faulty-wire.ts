import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LinePort } from '../../hardware/config.ts'
import type { FaultyDevicesMessage, FaultyDevicesOptions } from '../support/faulty-devices.ts'
import type { FaultyMasterOptions, FaultyTally } from '../support/faulty-master.ts'
import { type Harness, type HarnessContext, scaled } from '../support/harness.ts'
import { havePeer } from '../support/peers.ts'

const POLLS = 100_000
/** The broken master shows its faults in far fewer. */
const NAIVE_POLLS = 10_000
const POLLS_MIN = 2_000
const LINES = 12
/** So many of them are pseudo terminals where socat is here, the others TCP. */
const PTY_LINES = 4
const ECHOING_LINES = 3
const TIMEOUT_MS = 40
/** No device answers later than this; the master waits far longer, because this machine may be busy. */
const LATEST_MS = 90
const LATE_MS = 250
const STALL_MS = 300
const STALL_EVERY_MS = 1_000
/** Every so often the whole process is frozen from outside, its threads too. */
const FREEZE_EVERY_MS = 4_000

const program = (name: string, options: unknown): ChildProcess =>
  fork(join(import.meta.dirname, '../support', name), [JSON.stringify(options)])

/** Freezes a process at random until told to stop; returns how often it did. */
async function freezeAtRandom(child: ChildProcess, isOver: () => boolean): Promise<number> {
  let freezes = 0
  while (!isOver()) {
    await sleep(Math.random() * 2 * FREEZE_EVERY_MS)
    if (isOver()) break
    child.kill('SIGSTOP')
    await sleep(STALL_MS)
    child.kill('SIGCONT')
    freezes += 1
  }
  return freezes
}

async function runMaster(options: FaultyMasterOptions): Promise<FaultyTally & { freezes: number }> {
  const child = program('faulty-master.ts', options)
  let isOver = false
  const freezing = freezeAtRandom(child, () => isOver)
  try {
    const [tally] = (await Promise.race([once(child, 'message'), failOn(child)])) as [FaultyTally]
    isOver = true
    return { ...tally, freezes: await freezing }
  } finally {
    isOver = true
    child.kill('SIGCONT')
    if (child.connected) child.disconnect()
  }
}

async function failOn(child: ChildProcess): Promise<never> {
  const [code] = (await once(child, 'exit')) as [number | null]
  throw new Error(`the master's process ended with ${code}`)
}

/** The devices' lines, some behind pseudo terminals. */
async function withDevices<Result>(
  use: (ports: LinePort[], faults: () => Promise<Record<string, number>>) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-faulty-'))
  const timing = { timeoutMs: TIMEOUT_MS, latestMs: LATEST_MS }
  const options: FaultyDevicesOptions = { lines: LINES, echoing: ECHOING_LINES, timing }
  const devices = program('faulty-devices.ts', options)
  const terminals: ChildProcess[] = []
  const tell = async (): Promise<FaultyDevicesMessage> => {
    const [message] = (await once(devices, 'message')) as [FaultyDevicesMessage]
    return message
  }
  try {
    const started = await tell()
    const numbers = 'ports' in started ? started.ports : []
    const ports = numbers.map((port): LinePort => ({ kind: 'tcp', host: '127.0.0.1', port }))
    // From the echoing end on, so that both kinds have lines with and without an echo.
    for (let line = 1; line <= PTY_LINES && havePeer('socat'); line += 1) {
      const path = join(folder, `line${line}`)
      terminals.push(
        spawn('socat', [`pty,raw,echo=0,link=${path}`, `tcp:127.0.0.1:${numbers[line] ?? 0},nodelay`]),
      )
      while (!existsSync(path)) await sleep(5)
      ports[line] = { kind: 'path', path }
    }
    return await use(ports, async () => {
      devices.send('faults')
      const message = await tell()
      return 'faults' in message ? message.faults : {}
    })
  } finally {
    for (const terminal of terminals) {
      const gone = once(terminal, 'exit')
      if (terminal.kill()) await gone
    }
    const ended = once(devices, 'exit')
    devices.disconnect()
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
}

async function run(context: HarnessContext) {
  const { scale } = context
  const shared = { timeoutMs: TIMEOUT_MS, lateMs: LATE_MS, stallMs: STALL_MS, stallEveryMs: STALL_EVERY_MS }
  context.progress('the product')
  const product = await withDevices(async (ports, faults) => {
    const polls = scaled(POLLS, scale, POLLS_MIN)
    const tally = await runMaster({ ...shared, kind: 'product', ports, polls })
    return { ...tally, polls, faults: await faults() }
  })
  context.progress('a broken master')
  const naive = await withDevices((ports) =>
    runMaster({ ...shared, kind: 'naive', ports, polls: scaled(NAIVE_POLLS, scale, POLLS_MIN) }),
  )
  return { product, naive }
}

export const harness: Harness = {
  what: 'No wrong value is accepted from a faulty line by a process that stands still at random; a broken master takes many.',
  run: async (context) => {
    const { product, naive } = await run(context)
    const { polls, right, wrong, lineLost } = product
    return {
      figures: { product, naive },
      failures: [
        ...(wrong > 0 ? [`${wrong} wrong values of ${polls}`] : []),
        ...(right < polls * 0.8 ? [`only ${right} of ${polls} polls gave a value`] : []),
        ...(lineLost > 0 ? [`${lineLost} polls found the line lost`] : []),
        ...(naive.wrong === 0 ? ['the broken master took no wrong value: this check shows nothing'] : []),
      ],
    }
  },
}
