import { parseArgs } from 'node:util'
import { Pipeline } from '../../agent/pipeline.ts'
import { openStore } from '../../agent/storage/index.ts'
import type { Reading } from '../../hardware/index.ts'
import { sha256 } from '../../cloud-sync/codec/index.ts'
import type { Stream } from '../../cloud-sync/contract/index.ts'
import { ACME, GATEWAY, hastyClock } from './store.ts'

/**
 * A process that does nothing but store, for tests that kill it or cut its power. It takes readings with the values
 * `from`, `from + 1` …, makes and acknowledges batches, and says on stdout, after it is durable:
 * `R first last` readings committed · `B stream epoch first hash` batch made ·
 * `A stream epoch upTo` batch confirmed · `refused CODE` · `open`.
 * `--noise` adds a fraction that does not compress. `--synchronous NORMAL` weakens the connection after it was opened, for the negative control.
 */
const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: '' },
    from: { type: 'string', default: '0' },
    synchronous: { type: 'string' },
    limits: { type: 'string' },
    batch: { type: 'string', default: '5' },
    noise: { type: 'boolean', default: false },
  },
})
const say = (line: string): void => void process.stdout.write(`${line}\n`)

const store = openStore({
  folder: values.folder,
  gateway: GATEWAY,
  clockFrom: hastyClock,
  trust: null,
  cloudConfigured: true,
  organisation: ACME,
  sw: '0.1.0',
  cfg: 'test',
  windowMs: 4,
  intervalMs: 40,
  liveDelayMs: 0,
  ...(values.limits !== undefined && {
    limits: JSON.parse(values.limits) as { bytes: number; days: number },
  }),
  onDamage: (error) => {
    say(`damage ${String(error)}`)
    process.exit(3)
  },
  onRefused: (error) => {
    say(`refused ${String(error)}`)
  },
})
if (values.synchronous !== undefined) store.database.pragma(`synchronous = ${values.synchronous}`)

const pipeline = new Pipeline({
  store,
  organisation: ACME,
  proposed: new Map(),
  resolutionOf: () => (values.noise ? null : { step: 1, digits: 0 }),
  publish: async () => undefined,
  onPublishFailed: (error) => {
    throw error
  },
})

/** With noise its whole part is still `n`. */
const noisy = (n: number): number => (values.noise ? n + Math.random() : n)

function reading(n: number): Reading {
  const device = `device-${String(n % 4)}`
  const value = noisy(n)
  const fixed = {
    sensor: 'main',
    channel: 'n',
    unit: '1',
    quality: 'good',
    reason: null,
    derived: false,
  } as const
  return {
    device,
    ...fixed,
    takenAt: Date.UTC(2026, 10, 21) + n,
    value,
    calibration: 0,
    alarm: false,
    payloadBytes: 2,
  }
}

async function takeForEver(): Promise<never> {
  const size = Number(values.batch)
  for (let next = Number(values.from); ; next += size) {
    const batch = Array.from({ length: size }, (_, n) => reading(next + n))
    for (;;) {
      try {
        await pipeline.take(batch)
        break
      } catch (error) {
        say(`refused ${String(error)}`)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    say(`R ${String(next)} ${String(next + size - 1)}`)
  }
}

/** Makes batches; confirms every second one, as a ledger that lags behind. */
async function sendForEver(stream: Stream): Promise<never> {
  let after = 0
  for (let turn = 0; ; turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 7))
    const batch = await store.outbox.next(stream, after)
    if (batch === undefined) continue
    say(`B ${stream} ${batch.epoch} ${String(batch.first)} ${sha256(batch.body)}`)
    after = batch.last
    if (turn % 2 !== 0 || stream === 'usage') continue
    const hash = sha256(batch.body)
    say(`A ${stream} ${batch.epoch} ${String(batch.last)}`)
    const ack = { epoch: batch.epoch, upTo: batch.last, hash, status: 'ok', serverTime: 1 } as const
    await store.outbox.acknowledge(stream, ack)
  }
}

const upkeep = setInterval(() => {
  store.upkeep()
}, 10)
process.on('SIGTERM', () => {
  clearInterval(upkeep)
  void store.stop().then(() => process.exit(0))
})
await store.start(new AbortController().signal)
await pipeline.start()
say('open')
const forEver = [takeForEver(), sendForEver('rd'), sendForEver('rd/h'), sendForEver('usage')]
for (const loop of forEver) loop.catch(() => process.exit(4))
