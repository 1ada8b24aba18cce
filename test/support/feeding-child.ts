import { pathToFileURL } from 'node:url'
import type * as ClockModule from '../../agent/clock/index.ts'
import type * as FieldModule from '../../agent/field-state.ts'
import type * as PipelineModule from '../../agent/pipeline.ts'
import type * as LocalPolicyModule from '../../agent/policy/local-policy.ts'
import type * as PublishingModule from '../../agent/publishing.ts'
import type * as StorageModule from '../../agent/storage/index.ts'
import type * as BrokerModule from '../../broker/index.ts'
import { GatewayId, OrgId } from '../../cloud-sync/contract/index.ts'
import type { Reading } from '../../hardware/index.ts'

/**
 * The built gateway's own parts (store, pipeline, broker), fed with readings as fast as they take them. Says its memory as a
 * line of JSON at each mark. Arguments: folder of the build, data folder, marks (counts of readings) in rising order.
 */
const [build = '', folder = '', ...marks] = process.argv.slice(2)
const load = async <T>(path: string): Promise<T> =>
  (await import(pathToFileURL(`${build}/${path}`).href)) as T

const DEVICES = 20
const CHANNELS = ['freq', 'temp', 'batt']
const BATCH = DEVICES * CHANNELS.length * 100
const MINUTE_MS = 60_000
const gateway = GatewayId.parse('GW-FEED')
const organisation = OrgId.parse('acme')

let minute = 0
const start = Date.UTC(2026, 0, 1)

function nextBatch(): Reading[] {
  const readings: Reading[] = []
  while (readings.length < BATCH) {
    minute += 1
    for (let device = 1; device <= DEVICES; device += 1) {
      for (const [index, channel] of CHANNELS.entries()) {
        readings.push({
          device: `piezo-${device}`,
          sensor: 'main',
          channel,
          takenAt: start + minute * MINUTE_MS + device * 350,
          value: Math.round((2600 + device * 10 + index * 100 + Math.sin(minute / 700 + device)) * 100) / 100,
          unit: 'Hz',
          quality: 'good',
          reason: null,
          derived: false,
          calibration: 0,
          alarm: false,
          payloadBytes: 4,
        })
      }
    }
  }
  return readings
}

async function main(): Promise<void> {
  const { GatewayClock } = await load<typeof ClockModule>('agent/clock/index.js')
  const { openStore } = await load<typeof StorageModule>('agent/storage/index.js')
  const { Pipeline } = await load<typeof PipelineModule>('agent/pipeline.js')
  const { FieldState } = await load<typeof FieldModule>('agent/field-state.js')
  const { Publishing } = await load<typeof PublishingModule>('agent/publishing.js')
  const { LocalPolicy } = await load<typeof LocalPolicyModule>('agent/policy/local-policy.js')
  const { createBroker } = await load<typeof BrokerModule>('broker/index.js')

  const now = (): number => start + minute * MINUTE_MS
  const sources = { bootId: 'feed', monoMs: () => minute * MINUTE_MS, wallMs: now, wallIsSynced: () => true }
  const store = openStore({
    folder,
    gateway,
    clockFrom: (highWaterMs) => new GatewayClock({ sources, highWaterMs, cloudConfigured: false }),
    trust: null,
    cloudConfigured: false,
    organisation,
    sw: 'feed',
    cfg: 'feed',
    onDamage: (error) => {
      throw error
    },
  })
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const policy = new LocalPolicy({
    gateway,
    anonymous: 'none',
    when: () => ({ place: 'gateway', at: 1, signed: true }),
  })
  const broker = createBroker({ listen: ['tcp://127.0.0.1:0'], policy, log: quiet })
  const publishing = new Publishing({ gateway, broker, field: new FieldState({ lines: [], devices: [] }) })
  const pipeline = new Pipeline({
    store,
    organisation,
    proposed: new Map(),
    resolutionOf: () => ({ step: 1, digits: 2 }),
    publish: (readings) => publishing.readings(readings),
    onPublishFailed: (error) => {
      throw error
    },
  })
  const signal = new AbortController().signal
  await store.start(signal)
  await broker.start(signal)
  await pipeline.start()
  let fed = 0
  for (const mark of marks.map(Number)) {
    while (fed < mark) {
      const batch = nextBatch()
      fed += batch.length
      await Promise.all([pipeline.take(batch), store.writer.commitSoon()])
    }
    process.stdout.write(`${JSON.stringify({ fed, ...process.memoryUsage() })}\n`)
  }
  await pipeline.stop()
  await broker.stop()
  await store.stop()
}

await main()
