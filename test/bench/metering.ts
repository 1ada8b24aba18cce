import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Meters } from '../../agent/metering/index.ts'
import { Pipeline } from '../../agent/pipeline.ts'
import { UsageLedger } from '../../agent/storage/usage.ts'
import type { Reading } from '../../hardware/index.ts'
import type { Bench } from '../support/harness.ts'
import { ACME, hastyClock, testStore } from '../support/store.ts'
import { CHANNELS, workload } from '../support/workload.ts'

const READINGS = 150_000
/** As the hardware process hands them over under load. */
const BATCH = 1000
/** Batches under way at once: the next is decoded while one is committed. */
const UNDER_WAY = 10
/** Runs of each kind in turn; the fastest counts, because the machine has other work. */
const RUNS = 5
/** Of the pipeline's time. */
const SHARE_MAX = 0.15

export const bench: Bench = {
  what: 'What the meters take of the pipeline: readings from hardware to committed store with and without them.',
  async run(progress) {
    const readings = taken()
    await seconds(readings, true)
    let [metered, bare] = [Infinity, Infinity]
    for (let run = 0; run < RUNS; run += 1) {
      metered = Math.min(metered, await seconds(readings, true))
      bare = Math.min(bare, await seconds(readings, false))
      progress(`${metered.toFixed(2)} s with meters, ${bare.toFixed(2)} s without`)
    }
    const share = (metered - bare) / metered
    return {
      readings: READINGS,
      perSecondMetered: Math.round(READINGS / metered),
      perSecondBare: Math.round(READINGS / bare),
      meteringShare: Math.round(share * 1000) / 1000,
      withinBar: share < SHARE_MAX,
    }
  },
}

function taken(): Reading[] {
  const minutes = READINGS / (CHANNELS.length * 20)
  return [...workload({ minutes, jitterMs: 40 })].map(({ channel, takenAt, value }) => {
    const kind = CHANNELS[(channel - 1) % CHANNELS.length] ?? CHANNELS[0]
    const device = `piezometer-${String(Math.floor((channel - 1) / CHANNELS.length) + 1)}`
    const fixed = { sensor: 'main', quality: 'good', reason: null, derived: false, alarm: false } as const
    const measured = { device, channel: kind.name, unit: kind.unit, takenAt, value }
    return { ...measured, ...fixed, calibration: 1, payloadBytes: 4 }
  })
}

async function seconds(readings: readonly Reading[], isMetered: boolean): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-bench-'))
  const restore = isMetered ? () => undefined : emptied()
  try {
    return await through(folder, readings)
  } finally {
    restore()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The same program with nothing behind the two doors that lead to the meters. */
function emptied(): () => void {
  const count = Object.getOwnPropertyDescriptor(Meters.prototype, 'count')
  const write = Object.getOwnPropertyDescriptor(UsageLedger.prototype, 'write')
  Object.defineProperty(Meters.prototype, 'count', { value: () => undefined, configurable: true })
  Object.defineProperty(UsageLedger.prototype, 'write', {
    value: () => () => undefined,
    configurable: true,
  })
  return () => {
    if (count !== undefined) Object.defineProperty(Meters.prototype, 'count', count)
    if (write !== undefined) Object.defineProperty(UsageLedger.prototype, 'write', write)
  }
}

async function through(folder: string, readings: readonly Reading[]): Promise<number> {
  const store = testStore(folder, { clockFrom: hastyClock, windowMs: 1000 })
  const pipeline = new Pipeline({
    store,
    organisation: ACME,
    proposed: new Map(),
    resolutionOf: () => ({ step: 1, digits: 2 }),
    publish: async () => undefined,
    onPublishFailed: (error) => {
      throw error
    },
  })
  await pipeline.start()
  const started = performance.now()
  for (let start = 0; start < readings.length; start += BATCH * UNDER_WAY) {
    const parts = Array.from({ length: UNDER_WAY }, (_, n) =>
      readings.slice(start + n * BATCH, start + (n + 1) * BATCH),
    )
    await Promise.all(parts.map((part) => pipeline.take(part)))
  }
  const passed = (performance.now() - started) / 1000
  await pipeline.stop()
  await store.stop()
  return passed
}
