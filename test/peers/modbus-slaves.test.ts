import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { systemClock } from '../../hardware/clock.ts'
import type { Line } from '../../hardware/line/line.ts'
import { openLine } from '../../hardware/line/open-line.ts'
import {
  ascii,
  BYTE_ORDERS,
  type ByteOrder,
  type CycleStep,
  type Framing,
  modbusProtocol,
  type ReadChannel,
  rtu,
  type Table,
  type ValueType,
} from '../../hardware/modbus/index.ts'
import type { Value } from '../../hardware/reading.ts'
import { testWith } from '../support/peers.ts'

const UNIT = 17
const BAUD = 38_400
const VALUES = {
  uint16: 51_966,
  int16: -12_345,
  uint32: 4_023_233_417,
  int32: -1_234_567_890,
  uint64: '17216961135462248174',
  int64: '-1311768467294899695',
  float32: 10802.12109375,
  float64: -273.15,
  string: 'Headgate',
} as const

let folder: string
let children: ChildProcess[]
let line: Line

async function untilThere(path: string): Promise<void> {
  for (let tries = 0; !existsSync(path); tries += 1) {
    if (tries > 6_000) throw new Error(`${path} did not come`)
    await sleep(10)
  }
}

async function ready(child: ChildProcess): Promise<void> {
  if (child.stdout === null) throw new Error('no output to wait for')
  const gone = once(child, 'exit').then(([code]) => {
    throw new Error(`the peer ended with ${String(code)}`)
  })
  await Promise.race([once(createInterface({ input: child.stdout }), 'line'), gone])
  gone.catch(() => undefined)
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headgate-peers-'))
  const [ours, theirs] = [join(folder, 'ours'), join(folder, 'theirs')]
  children = [
    spawn('socat', [`pty,raw,echo=0,link=${ours}`, `pty,raw,echo=0,link=${theirs}`], { stdio: 'ignore' }),
  ]
  children[0]?.on('error', () => undefined)
  line = openLine(
    { id: 'peer', port: { kind: 'path', path: ours }, baud: BAUD, format: '8N1' },
    { clock: systemClock, random: () => 0.5 },
  )
})

afterEach(async () => {
  await line.stop()
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) continue
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  rmSync(folder, { recursive: true, force: true })
})

/** Starts a slave on the other end and our line on this one. */
async function connected(command: string, args: readonly string[]): Promise<void> {
  await untilThere(join(folder, 'theirs'))
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  await ready(child)
  await line.start(new AbortController().signal)
}

const channel = (
  id: string,
  place: [Table, number],
  type: ValueType,
  order: ByteOrder = 'ABCD',
): ReadChannel => ({
  id,
  table: place[0],
  address: place[1],
  value: { type, order, bits: null, byte: 'low', length: type === 'string' ? 8 : 0 },
})

/** Polls the channels once, after the cycle's steps. A string says why it did not work. */
async function poll(
  framing: Framing,
  channels: readonly ReadChannel[],
  cycle: readonly CycleStep[] = [],
): Promise<Record<string, Value> | string> {
  const limits = { maxRegs: 125, maxBits: 2000, maxHole: 10 }
  const protocol = modbusProtocol({ framing, channels, limits, cycle })
  const values: Record<string, Value> = {}
  const ids = channels.map(({ id }) => id)
  for (const step of protocol.plan(UNIT, ids, new Set())) {
    if (step.kind !== 'exchange') continue
    const reply = await line.exchange({ ...step, timeoutMs: 2000, gapMs: 5, lateMs: 50 })
    if (!reply.ok) return reply.reason
    const result = protocol.decode(step, reply.frame)
    if (!result.ok) return result.reason
    for (const raw of result.values) values[raw.channel] = raw.value
  }
  return values
}

const bits = (table: Table, count: number): ReadChannel[] =>
  Array.from({ length: count }, (_, at) => channel(`${table}${at}`, [table, at], 'bool'))
const everyNth = (table: Table, count: number, nth: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`${table}${at}`, at % nth === 0 ? 1 : 0]))

/** Writes by functions 5, 6, 15 and 16, and what must then be read. */
const WRITES: CycleStep[] = [
  { kind: 'write', request: { fn: 6, address: 90, value: 0xbeef } },
  { kind: 'write', request: { fn: 16, address: 91, values: [1, 2, 0xffff] } },
  { kind: 'write', request: { fn: 5, address: 41, on: true } },
  {
    kind: 'write',
    request: { fn: 15, address: 42, values: [true, false, true, true, false, false, true, true, true] },
  },
]
const WRITTEN = [
  ...[90, 91, 92, 93].map((at) => channel(`h${at}`, ['holding', at], 'uint16')),
  ...Array.from({ length: 10 }, (_, at) => channel(`c${41 + at}`, ['coil', 41 + at], 'bool')),
]
const WRITTEN_VALUES = {
  ...{ h90: 0xbeef, h91: 1, h92: 2, h93: 0xffff },
  ...{ c41: 1, c42: 1, c43: 0, c44: 1, c45: 1, c46: 0, c47: 0, c48: 1, c49: 1, c50: 1 },
}

describe('libmodbus as a slave agrees with us', () => {
  testWith('socat', 'libmodbus')(
    'on floats in every order, integers, bits, writes and refusals',
    async () => {
      const program = join(folder, 'slave')
      const flags = execFileSync('pkg-config', ['--cflags', '--libs', 'libmodbus'], { encoding: 'utf8' })
      const source = join(import.meta.dirname, 'libmodbus-slave.c')
      execFileSync('cc', ['-o', program, source, ...flags.trim().split(/\s+/)])
      const laid = [String(VALUES.float32), String(VALUES.int32), VALUES.int64]
      await connected(program, [join(folder, 'theirs'), String(BAUD), String(UNIT), ...laid])

      for (const table of ['holding', 'input'] as const) {
        const floats = BYTE_ORDERS.map((order, at) => channel(order, [table, at * 2], 'float32', order))
        const rest = [channel('int32', [table, 8], 'int32'), channel('int64', [table, 10], 'int64')]
        expect(await poll(rtu, [...floats, ...rest])).toEqual({
          ...Object.fromEntries(BYTE_ORDERS.map((order) => [order, VALUES.float32])),
          int32: VALUES.int32,
          int64: BigInt(VALUES.int64),
        })
      }
      expect(await poll(rtu, bits('coil', 40))).toEqual(everyNth('coil', 40, 5))
      expect(await poll(rtu, bits('discrete', 40))).toEqual(everyNth('discrete', 40, 3))
      expect(await poll(rtu, WRITTEN, WRITES)).toEqual(WRITTEN_VALUES)
      expect(await poll(rtu, [channel('beyond', ['holding', 500], 'uint16')])).toBe('exception-2')
    },
  )
})

const ORDER_OF_PYMODBUS = ['ABCD', 'CDAB', 'BADC', 'DCBA'] as const
/** Where its payload builder lays each type, in registers. */
const LAID: readonly (readonly [keyof typeof VALUES, number])[] = [
  ['uint16', 0],
  ['int16', 1],
  ['uint32', 2],
  ['int32', 4],
  ['uint64', 6],
  ['int64', 10],
  ['float32', 14],
  ['float64', 16],
  ['string', 20],
]

describe('pymodbus as a slave agrees with us', () => {
  testWith('socat', 'pymodbus').for([
    ['RTU', rtu, 'rtu'],
    ['ASCII', ascii, 'ascii'],
  ] as const)(
    'over %s on every type in every order, bits, writes and refusals',
    async ([, framing, framer]) => {
      const script = join(import.meta.dirname, 'pymodbus-slave.py')
      const args = [script, join(folder, 'theirs'), framer, String(UNIT), JSON.stringify(VALUES)]
      await connected('/usr/bin/python3', args)

      for (const [group, order] of ORDER_OF_PYMODBUS.entries()) {
        const channels = LAID.map(([type, at]) => {
          // A text has no order of its own there: its builder lays it as it is written.
          return channel(type, ['holding', group * 100 + at], type, type === 'string' ? 'ABCD' : order)
        })
        expect({ order, values: await poll(framing, channels) }).toEqual({
          order,
          values: { ...VALUES, uint64: BigInt(VALUES.uint64), int64: BigInt(VALUES.int64) },
        })
      }
      expect(await poll(framing, bits('coil', 40))).toEqual(everyNth('coil', 40, 5))
      expect(await poll(framing, bits('discrete', 40))).toEqual(everyNth('discrete', 40, 3))
      expect(await poll(framing, WRITTEN, WRITES)).toEqual(WRITTEN_VALUES)
      expect(await poll(framing, [channel('beyond', ['input', 5000], 'uint16')])).toBe('exception-2')
    },
  )
})
