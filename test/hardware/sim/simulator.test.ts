import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { loadProfile, type Profile, protocolOf } from '../../../hardware/profile/index.ts'
import type { Step } from '../../../hardware/protocol.ts'
import { forkSimulator } from '../../../hardware/sim/index.ts'
import type { ForkedSimulator, SimulatorFault, Truth } from '../../../hardware/sim/index.ts'

const profileFile = (name: string): string =>
  join(import.meta.dirname, `../../../hardware/profiles/${name}.yaml`)
const tilt = loadProfile(readFileSync(profileFile('example-tilt'), 'utf8'))

const SCENARIO = `
line: { baud: 115200, format: 8E1 }
seed: 7
devices:
  - { id: tilt-1, profile: example-tilt/1, address: 1, counter: answers, thinkMs: 1 }
  - { id: piezo-1, profile: example-piezo/1, address: 2, counter: answers, thinkMs: 1 }
`

let folder: string
let simulator: ForkedSimulator
let socket: Socket

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headgate-sim-'))
  writeFileSync(join(folder, 'scenario.yaml'), SCENARIO)
  simulator = await forkSimulator({
    scenario: join(folder, 'scenario.yaml'),
    expose: { tcp: 0 },
    truthLog: join(folder, 'truth.jsonl'),
  })
})

afterAll(async () => {
  await simulator.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function dial(): Promise<Socket> {
  const { port } = simulator
  if (port.kind !== 'tcp') throw new Error('asked for tcp')
  const dialled = connect(port.port, port.host)
  await once(dialled, 'connect')
  return dialled
}

beforeEach(async () => {
  socket = await dial()
  return () => {
    socket.destroy()
  }
})

/** The device's own log. */
const truths = (): Truth[] =>
  readFileSync(join(folder, 'truth.jsonl'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Truth)

/** Runs one exchange as simply as can be: everything that comes within `ms` is searched for the answer. */
async function ask(step: Extract<Step, { kind: 'exchange' }>, ms = 250): Promise<Uint8Array | undefined> {
  let rx = Buffer.alloc(0)
  const until = Date.now() + ms
  const take = (bytes: Buffer): void => {
    rx = Buffer.concat([rx, bytes])
  }
  socket.on('data', take)
  socket.write(step.tx)
  try {
    while (Date.now() < until) {
      const match = step.match(rx)
      if ('frame' in match) return rx.subarray(...match.frame)
      await new Promise((done) => setTimeout(done, 2))
    }
    return undefined
  } finally {
    socket.off('data', take)
  }
}

async function poll(
  profile: Profile,
  address: number,
  ms?: number,
): Promise<Record<string, unknown> | string> {
  const protocol = protocolOf(profile)
  const channels = profile.channels.map(({ id }) => id)
  const values: Record<string, unknown> = {}
  for (const step of protocol.plan(address, channels, new Set())) {
    if (step.kind !== 'exchange') continue
    const frame = await ask(step, ms)
    if (frame === undefined) return 'no answer'
    const result = protocol.decode(step, frame)
    if (!result.ok) return result.reason
    for (const { channel, value } of result.values) values[channel] = value
  }
  return values
}

/** Bytes that are still on their way from before. */
const settle = (): Promise<unknown> => new Promise((done) => setTimeout(done, 30))

describe('a simulated line in a process of its own', () => {
  test('answers a profile with moving values and counts and logs every answer', async () => {
    const first = await poll(tilt, 1)
    const second = await poll(tilt, 1)
    expect(first).toMatchObject({ answers: 1 })
    expect(second).toMatchObject({ answers: 2 })
    if (typeof first === 'string' || typeof second === 'string') throw new Error('no values')
    expect(first['x']).not.toEqual(second['x'])
    expect(Number(first['supply'])).toBeGreaterThan(1000)
    await settle()
    expect(truths().map(({ device, counter, clean }) => ({ device, counter, clean }))).toEqual([
      { device: 'tilt-1', counter: 1, clean: true },
      { device: 'tilt-1', counter: 2, clean: true },
    ])
    expect((await simulator.stats()).answers).toEqual({ 'tilt-1': 2, 'piezo-1': 0 })
  })

  const cases: [string, SimulatorFault, end: string, clean: boolean[]][] = [
    ['a dead device gives no answer', { fault: 'dead', probability: 1 }, 'no answer', []],
    ['a slow one is waited for', { fault: 'slow', ms: 100, probability: 1 }, 'value', [true]],
    ['a late one is not', { fault: 'late', ms: 400, probability: 1 }, 'no answer', [false]],
    ['garbage before is skipped', { fault: 'garbage-before', bytes: 5, probability: 1 }, 'value', [true]],
    ['garbage after does no harm', { fault: 'garbage-after', bytes: 5, probability: 1 }, 'value', [true]],
    ['a false start is skipped', { fault: 'header', probability: 1 }, 'value', [true]],
    ['a pause within is bridged', { fault: 'split', ms: 30, probability: 1 }, 'value', [true]],
    ['half an answer is none', { fault: 'truncated', probability: 1 }, 'no answer', [false]],
    ['a turned bit is seen', { fault: 'bad-crc', probability: 1 }, 'no answer', [false]],
    ['an exception is told', { fault: 'exception', code: 4, probability: 1 }, 'exception-4', []],
    ['a busy device says so', { fault: 'busy', probability: 1 }, 'exception-6', []],
    ['another unit is not heard', { fault: 'wrong-unit', probability: 1 }, 'no answer', [false]],
    ['more than was asked is not taken', { fault: 'too-long', probability: 1 }, 'no answer', [false]],
    ['an echo is not taken for the answer', { fault: 'echo' }, 'value', [true]],
  ]
  test.for(cases)('%s', async ([, fault, end, clean]) => {
    const before = truths().length
    await simulator.inject(fault)
    const got = await poll(tilt, 1)
    expect(typeof got === 'string' ? got : 'value').toBe(end)
    await new Promise((done) => setTimeout(done, fault.fault === 'late' ? 300 : 50))
    const logged = truths().slice(before)
    expect(logged.map((truth) => truth.clean)).toEqual(clean)
    await simulator.heal()
    await settle()
    const next = (truths().at(-1)?.counter ?? 0) + 1
    expect(await poll(tilt, 1)).toMatchObject({ answers: next })
    await settle()
  })

  test('an answer that the unplugging cut off is logged as in doubt', async () => {
    const before = truths().length
    await simulator.inject({ fault: 'slow', ms: 150, probability: 1 })
    const step = protocolOf(tilt)
      .plan(1, ['answers'], new Set())
      .find((one) => one.kind === 'exchange')
    if (step?.kind !== 'exchange') throw new Error('a read')
    socket.on('error', () => socket.destroy())
    socket.write(step.tx)
    await new Promise((done) => setTimeout(done, 60))
    await simulator.unplug()
    await new Promise((done) => setTimeout(done, 250))
    expect(truths().slice(before)).toMatchObject([{ device: 'tilt-1', clean: false }])
    await simulator.heal()
    socket = await dial()
    expect(await poll(tilt, 1)).toMatchObject({ supply: expect.any(Number) as number })
    await settle()
    expect(truths().at(-1)).toMatchObject({ clean: true })
  })

  test('an unplugged adapter hangs up, and takes a master again when it is plugged in', async () => {
    const hungUp = new Promise((done) => {
      socket.once('close', done)
      // A reset is one way to hang up.
      socket.on('error', () => socket.destroy())
    })
    await simulator.unplug()
    await hungUp
    await expect(dial()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await simulator.replug()
    socket = await dial()
    expect(await poll(tilt, 1)).toMatchObject({ supply: expect.any(Number) as number })
  })

  test('a scenario that cannot be run is refused with its lines', async () => {
    const file = join(folder, 'bad.yaml')
    writeFileSync(
      file,
      'devices:\n  - { id: a, profile: no-such/1, address: 1 }\n  - { id: A, profile: x/1, address: 900 }\n',
    )
    await expect(forkSimulator({ scenario: file, expose: { tcp: 0 } })).rejects.toMatchObject({
      code: 'SCENARIO_INVALID',
      message: expect.stringMatching(/line 3: devices\.1\.id: .*\n.*line 3: devices\.1\.address: /) as string,
    })
  })
})
