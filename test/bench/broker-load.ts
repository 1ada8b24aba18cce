import type { BrokerProcess } from '../support/broker-process.ts'
import { startHeadgateBroker } from '../support/broker-process.ts'
import type { Bench } from '../support/harness.ts'
import { idleMemory, type IdleMemory } from './support/idle.ts'
import { type LoadReport, runLoad } from './support/load.ts'
import { startMosquitto, startStockAedes } from './support/peers.ts'

const RUNS = 3
/** V8 compiles what is hot in this time; a broker runs for months. */
const WARM_SECONDS = 3
const SECONDS = 3
const PAYLOAD_BYTES = 64
const IDLE_CONNECTIONS = 1_000
const IDLE_REST_SECONDS = 3

const SIDES = { ours: startHeadgateBroker, mosquitto: startMosquitto, stock: startStockAedes } as const
type Side = keyof typeof SIDES

interface Case {
  readonly name: string
  readonly qos: 0 | 1
  readonly publishers: number
  readonly persistent: boolean
  /** Under way for each publisher. */
  readonly window: number
}

/** QoS 1 at ours is stored with fsync before its PUBACK; at the others it is in memory only. */
const CASES: readonly Case[] = [
  { name: 'qos0-1-1', qos: 0, publishers: 1, persistent: false, window: 2_000 },
  { name: 'qos0-10-1', qos: 0, publishers: 10, persistent: false, window: 500 },
  { name: 'qos1-1-1', qos: 1, publishers: 1, persistent: false, window: 1_000 },
  { name: 'qos1-10-1', qos: 1, publishers: 10, persistent: false, window: 200 },
  { name: 'qos1-persistent-1-1', qos: 1, publishers: 1, persistent: true, window: 1_000 },
  { name: 'qos1-persistent-10-1', qos: 1, publishers: 10, persistent: true, window: 200 },
]

/** Medians of one side in one case. */
interface Figures {
  readonly rate: number
  readonly acksPerSecond: number
  readonly perCpuSecond: number
  readonly p99Ms: number
  readonly longestGapMs: number
  /** Over all runs. */
  readonly lost: number
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

async function one(side: Side, { qos, publishers, persistent, window }: Case): Promise<LoadReport> {
  const broker = await SIDES[side]()
  try {
    return await runLoad({
      ...{ port: broker.port, pid: broker.pid, qos, publishers, persistent, window, subscribers: 1 },
      ...{ payloadBytes: PAYLOAD_BYTES, warmSeconds: WARM_SECONDS, seconds: SECONDS },
    })
  } finally {
    await broker.end('SIGKILL')
  }
}

const figuresOf = (reports: readonly LoadReport[]): Figures => ({
  rate: median(reports.map(({ rate }) => rate)),
  acksPerSecond: median(reports.map(({ acksPerSecond }) => acksPerSecond)),
  perCpuSecond: median(reports.map(({ perCpuSecond }) => perCpuSecond)),
  p99Ms: median(reports.map(({ latencyMs }) => latencyMs.p99)),
  longestGapMs: median(reports.map(({ longestGapMs }) => longestGapMs)),
  lost: reports.reduce((sum, { lost }) => sum + lost, 0),
})

/** Every side in every case, alternating, so that what else the machine does meets all of them. */
async function throughput(progress: (text: string) => void): Promise<Record<string, Record<Side, Figures>>> {
  const found: Record<string, Record<Side, Figures>> = {}
  for (const load of CASES) {
    const reports: Record<Side, LoadReport[]> = { ours: [], mosquitto: [], stock: [] }
    for (let run = 1; run <= RUNS; run += 1) {
      for (const side of Object.keys(SIDES) as Side[]) {
        progress(`${load.name}: ${side}, run ${run} of ${RUNS}`)
        reports[side].push(await one(side, load))
      }
    }
    const { ours, mosquitto, stock } = reports
    found[load.name] = { ours: figuresOf(ours), mosquitto: figuresOf(mosquitto), stock: figuresOf(stock) }
  }
  return found
}

async function idle(progress: (text: string) => void): Promise<{ ours: IdleMemory; stock: IdleMemory }> {
  const found: { ours: IdleMemory[]; stock: IdleMemory[] } = { ours: [], stock: [] }
  const load = { connections: IDLE_CONNECTIONS, restSeconds: IDLE_REST_SECONDS }
  for (let run = 1; run <= RUNS; run += 1) {
    for (const side of ['ours', 'stock'] as const) {
      progress(`${IDLE_CONNECTIONS} idle connections: ${side}, run ${run} of ${RUNS}`)
      const broker: BrokerProcess = await SIDES[side]()
      try {
        found[side].push(await idleMemory(broker, load))
      } finally {
        await broker.end('SIGKILL')
      }
    }
  }
  const medianOf = (all: readonly IdleMemory[]): IdleMemory => ({
    rssMiB: median(all.map(({ rssMiB }) => rssMiB)),
    pssMiB: median(all.map(({ pssMiB }) => pssMiB)),
  })
  return { ours: medianOf(found.ours), stock: medianOf(found.stock) }
}

interface Floor {
  readonly what: string
  readonly bar: number
  readonly is: number
  readonly met: boolean
}

const atLeast = (what: string, bar: number, is: number): Floor => ({ what, bar, is, met: is >= bar })
const atMost = (what: string, bar: number, is: number): Floor => ({ what, bar, is, met: is <= bar })

function floorsOf(
  load: Record<string, Record<Side, Figures>>,
  memory: { ours: IdleMemory; stock: IdleMemory },
): Floor[] {
  const ratio = (name: string, side: Side): number =>
    (load[name]?.ours.perCpuSecond ?? 0) / (load[name]?.[side].perCpuSecond ?? 1)
  return [
    ...['qos1-1-1', 'qos1-10-1'].flatMap((name) => [
      atLeast(
        `${name}: messages a second, each stored before its PUBACK`,
        15_000,
        load[name]?.ours.rate ?? 0,
      ),
      atLeast(`${name}: of mosquitto in memory, per processor second`, 0.35, ratio(name, 'mosquitto')),
    ]),
    ...['qos0-1-1', 'qos0-10-1'].flatMap((name) => [
      atLeast(`${name}: of mosquitto, per processor second`, 0.5, ratio(name, 'mosquitto')),
      atLeast(`${name}: of stock aedes, per processor second`, 0.85, ratio(name, 'stock')),
    ]),
    atMost(`${IDLE_CONNECTIONS} idle connections: MiB resident`, 170, memory.ours.rssMiB),
    atMost(
      `${IDLE_CONNECTIONS} idle connections: times stock aedes`,
      1.25,
      memory.ours.rssMiB / memory.stock.rssMiB,
    ),
  ]
}

export const bench: Bench = {
  what:
    'headgate broker beside mosquitto and stock aedes: messages per processor second of the broker, and memory of idle clients. ' +
    'QoS 1 is stored with fsync before its PUBACK at ours, in memory at the others. Medians of three alternating runs.',
  async run(progress) {
    const memory = await idle(progress)
    const load = await throughput(progress)
    const floors = floorsOf(load, memory)
    return { floors, missed: floors.filter(({ met }) => !met).map(({ what }) => what), load, memory }
  },
}
