import { afterEach, beforeEach, expect, test } from 'vitest'
import { Pipeline } from '../../agent/pipeline.ts'
import type { Reading } from '../../hardware/index.ts'
import { PLACES, type Placed, QuotaSite } from '../support/quota-site.ts'
import { ACME } from '../support/store.ts'

let site: QuotaSite
let pipeline: Pipeline
let delivered: string[]

beforeEach(async () => {
  site = new QuotaSite()
  delivered = []
  await start()
})
afterEach(async () => {
  await pipeline.stop()
  await site.remove()
})

async function start(): Promise<void> {
  pipeline = new Pipeline({
    store: site.store,
    organisation: ACME,
    proposed: new Map(Object.keys(PLACES).map((id) => [id, { org: ACME, custodian: null }])),
    resolutionOf: () => null,
    publish: (readings) => {
      delivered.push(...readings.map(({ def, reading }) => `${def.device} ${String(reading.value)}`))
      return Promise.resolve()
    },
    onPublishFailed: (error) => {
      throw error
    },
  })
  await pipeline.start()
}

const reading = (device: Placed, value: number, of: Partial<Reading> = {}): Reading => ({
  device,
  sensor: 'main',
  channel: 'x',
  takenAt: site.clock.wallMs + value,
  value,
  unit: 'deg',
  quality: 'good',
  reason: null,
  derived: false,
  calibration: 0,
  alarm: false,
  payloadBytes: 4,
  ...of,
})
const take = (device: Placed, value: number, of: Partial<Reading> = {}): Promise<void> =>
  pipeline.take([reading(device, value, of)])
const caughtUp = async (): Promise<void> => {
  await expect.poll(() => site.store.quota.undelivered().length, { timeout: 60_000 }).toBe(0)
}

test('I20 on the local broker too the readings of the workspace at its limit wait, and no other ones', async () => {
  await site.limit({ wall: 2, crest: 100 })
  for (const value of [1, 2, 3]) await take('wall-1', value)
  await take('crest-1', 4)
  await take('loose', 5)
  expect(delivered).toEqual(['wall-1 1', 'wall-1 2', 'crest-1 4', 'loose 5'])
  expect(pipeline.latest().map(({ def }) => def.device)).toEqual(['crest-1', 'loose'])
})

test('what waited is delivered in its order, newer readings of the device after it, and others meanwhile', async () => {
  await site.limit({ wall: 1 })
  for (const value of [1, 2, 3]) await take('wall-1', value)
  await site.limit({ wall: 100 })
  await take('wall-1', 4)
  await take('crest-1', 5)
  await caughtUp()
  await take('wall-1', 6)
  const ofWall = delivered.filter((name) => name.startsWith('wall'))
  expect(ofWall).toEqual(['wall-1 1', 'wall-1 2', 'wall-1 3', 'wall-1 4', 'wall-1 6'])
  expect(delivered.filter((name) => name.startsWith('crest'))).toEqual(['crest-1 5'])
})

test('after a restart what was released and not delivered yet still is, and what came before the limit too', async () => {
  await site.limit({ wall: 1 })
  for (const value of [1, 2, 3]) await take('wall-1', value)
  await pipeline.stop()
  await site.reopen()
  delivered = []
  await site.limit({ wall: 100 })
  await start()
  await caughtUp()
  await take('wall-1', 4)
  expect(delivered.filter((name) => name !== 'wall-1 1')).toEqual(['wall-1 2', 'wall-1 3', 'wall-1 4'])
})

test('over its limit again before all was delivered: the rest comes with the next release, in order', async () => {
  await site.limit({ wall: 1 })
  for (const value of [1, 2, 3]) await take('wall-1', value)
  await site.limit({ wall: 4 })
  await take('wall-1', 4)
  await take('wall-1', 5)
  await caughtUp()
  expect(delivered).toEqual([1, 2, 3, 4].map((value) => `wall-1 ${value}`))
  await site.limit({ wall: 100 })
  await caughtUp()
  expect(delivered).toEqual([1, 2, 3, 4, 5].map((value) => `wall-1 ${value}`))
})

test('an alarm does not wait for a limit', async () => {
  await site.limit({ wall: 1 })
  await take('wall-1', 1)
  await take('wall-1', 2)
  await take('wall-1', 3, { alarm: true })
  expect(delivered).toEqual(['wall-1 1', 'wall-1 3'])
})
