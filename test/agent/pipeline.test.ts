import { afterEach, beforeEach, expect, test } from 'vitest'
import { diagnosticDevices } from '../../agent/diagnostics.ts'
import { Pipeline } from '../../agent/pipeline.ts'
import type { PublishedReading } from '../../agent/published-reading.ts'
import { quantise } from '../../agent/quantise.ts'
import type { Store } from '../../agent/storage/index.ts'
import { type OrgId, OwnedDevice } from '../../cloud-sync/contract/index.ts'
import type { Reading } from '../../hardware/index.ts'
import { ACME, StoppedClock, temporaryFolder, testStore } from '../support/store.ts'

let place: ReturnType<typeof temporaryFolder>
let clock: StoppedClock
let store: Store
let pipeline: Pipeline
let published: PublishedReading[]
let storedAtPublish: number[]
let fail: Error | undefined
let failures: unknown[]

async function start(): Promise<void> {
  store = testStore(place.folder, { clock })
  published = []
  storedAtPublish = []
  failures = []
  pipeline = new Pipeline({
    store,
    organisation: ACME,
    proposed: new Map([['guest', { org: 'borealis' as OrgId, custodian: null }]]),
    resolutionOf: (_device, channel) => (channel === 'exact' ? null : { step: 1, digits: 2 }),
    publish: async (readings) => {
      storedAtPublish.push(store.reader.counts().readings)
      if (fail !== undefined) throw fail
      published.push(...readings)
    },
    onPublishFailed: (error) => failures.push(error),
  })
  await pipeline.start()
}
beforeEach(async () => {
  place = temporaryFolder()
  clock = new StoppedClock()
  fail = undefined
  await start()
})
afterEach(async () => {
  await pipeline.stop()
  await store.stop()
  place.remove()
})

const reading = (of: Partial<Reading> = {}): Reading => ({
  device: 'tilt',
  sensor: 'main',
  channel: 'x',
  takenAt: 1000,
  value: 1,
  unit: 'deg',
  quality: 'good',
  reason: null,
  derived: false,
  calibration: 0,
  alarm: false,
  payloadBytes: 4,
  ...of,
})

test('a reading is committed before it is published, and both before the hardware may forget it', async () => {
  await pipeline.take([reading(), reading({ value: 2 })])
  expect(storedAtPublish).toEqual([2])
  expect(published.map(({ reading: { value } }) => value)).toEqual([1, 2])
})

test('what was committed and not published before the process ended is published at the next start', async () => {
  // As after a kill between the commit and the publish.
  fail = new Error('killed here')
  await pipeline.take([reading({ value: 7 })])
  await store.stop()
  fail = undefined
  await start()
  expect(published.map(({ reading: { value } }) => value)).toEqual([7])
})

test('a publish that fails is told and does not stop the store', async () => {
  fail = new Error('broker')
  await pipeline.take([reading()])
  expect(failures).toEqual([fail])
  expect(store.reader.counts().readings).toBe(1)
})

test('the configuration says whose a device is while there is no snapshot, else it is the gateway owner', async () => {
  await pipeline.take([reading(), reading({ device: 'guest' })])
  expect(store.reader.channels().map(({ device, org }) => [device, org])).toEqual([
    ['tilt', 'acme'],
    ['guest', 'borealis'],
  ])
})

test('an alarm does not wait for the window', async () => {
  await pipeline.stop()
  await store.stop()
  store = testStore(place.folder, { clock, windowMs: 60_000 })
  const quick = new Pipeline({
    store,
    organisation: ACME,
    proposed: new Map(),
    resolutionOf: () => null,
    publish: async () => undefined,
    onPublishFailed: () => undefined,
  })
  await quick.take([reading({ alarm: true })])
  expect(store.reader.counts().readings).toBe(1)
})

const odd: [string, Partial<Reading>, object][] = [
  ['a number that is none', { value: Number.NaN }, { value: null, quality: 'bad', reason: 'not-a-number' }],
  ['an endless number', { channel: 'exact', value: Infinity }, { value: null, quality: 'bad' }],
  ['a time that is none', { takenAt: Number.NaN }, { takenAt: Date.UTC(2026, 10, 21, 12) }],
  ['a fraction of a millisecond', { takenAt: 1000.4 }, { takenAt: 1000 }],
  ['an endless text', { value: 'x'.repeat(10_000) }, { value: 'x'.repeat(512) }],
  ['a double without resolution', { channel: 'exact', value: 0.1 + 0.2 }, { value: 0.1 + 0.2 }],
  ['a value off the grid', { value: 20.004999 }, { value: 20 }],
]
test.for(odd)('%s is stored as what it is, and the window with it', async ([, of, expected]) => {
  await pipeline.take([reading(of), reading({ device: 'other' })])
  expect(store.reader.latest().get(1)).toMatchObject(expected)
  expect(store.reader.counts().readings).toBe(2)
})

const grid: [number, number, number, number][] = [
  [1.006, 1, 2, 1.01],
  [-1.234, 1, 2, -1.23],
  [0.3, 1, 1, 0.3],
  [17, 5, 0, 15],
  [0.26, 5, 1, 0.5],
  [-0.001, 1, 2, 0],
  [1e300, 1, 2, 1e300],
]
test.for(grid)('%d on the grid of %d / 10^%d is %d', ([value, step, digits, expected]) => {
  expect(quantise(value, { step, digits })).toBe(expected)
})

test("after a restart the newest reading of each channel is there, but not of a device that is another owner's", async () => {
  await pipeline.take([
    reading({ device: 'guest', value: 1 }),
    reading({ device: 'guest', value: 2, takenAt: 2000 }),
    reading({ device: 'guest', channel: 'y', value: 3 }),
    reading({ device: 'gone', value: 4 }),
  ])
  await pipeline.stop()
  await store.stop()
  await start()
  const newest = pipeline
    .latest()
    .map(({ def, reading: { value } }) => `${def.device} ${def.channel} ${String(value)}`)
  expect(newest.toSorted()).toEqual(['guest x 2', 'guest y 3'])
  const others = new Pipeline({
    store,
    organisation: ACME,
    proposed: new Map([['guest', { org: ACME, custodian: null }]]),
    resolutionOf: () => null,
    publish: () => Promise.resolve(),
    onPublishFailed: (error) => failures.push(error),
  })
  expect(others.latest()).toEqual([])
})

test('what the configuration calls diagnostic is billed unless the signed policy approves it too', () => {
  const configured = [
    { id: 'board', diagnostic: true },
    { id: 'tilt', diagnostic: false },
  ]
  const policy = (...approved: string[]) => ({
    devices: ['board', 'tilt'].map((id) =>
      OwnedDevice.parse({
        id,
        org: 'acme',
        ownerEpoch: 1,
        ...(approved.includes(id) && { diagnostic: true }),
      }),
    ),
  })
  let current: ReturnType<typeof policy> | null = null
  const isDiagnostic = diagnosticDevices(configured, () => current)
  const free = (): string[] => ['board', 'tilt', 'other'].filter((device) => isDiagnostic(device))
  expect(free()).toEqual([])
  current = policy()
  expect(free()).toEqual([])
  current = policy('board', 'tilt')
  expect(free()).toEqual(['board'])
  current = policy('tilt')
  expect(free()).toEqual([])
})
