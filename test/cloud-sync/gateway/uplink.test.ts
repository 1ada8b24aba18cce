import { connectAsync } from 'mqtt'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { shardOf } from '../../../cloud-sync/codec/index.ts'
import { type Stream, STREAMS, upTopic } from '../../../cloud-sync/contract/index.ts'
import { type Bench, gatewayId, makeBench, startAedes } from './link-bench.ts'

let broker: Awaited<ReturnType<typeof startAedes>>
let bench: Bench
const signal = new AbortController().signal
beforeAll(async () => {
  broker = await startAedes()
})
afterAll(async () => {
  await broker.stop()
})
beforeEach(async () => {
  bench = await makeBench({ brokerPort: broker.port })
})
afterEach(async () => {
  await bench.stop()
})

const numbered = (stream: Stream, count: number): string[] =>
  Array.from({ length: count }, (_, at) => `${stream} ${String(at + 1)}`)
const fill = (count = 20): void => {
  for (const stream of STREAMS) bench.outbox.add(stream, ...numbered(stream, count))
}
const announcements = (): Bench['cloud']['statuses'] => bench.cloud.statuses.filter(({ online }) => online)
const drained = (): Promise<void> =>
  expect.poll(() => bench.outbox.isEmpty, { timeout: 60_000, interval: 10 }).toBe(true)
const expectAllOnce = (count = 20): void => {
  for (const stream of STREAMS) expect(bench.cloud.items(stream)).toEqual(numbered(stream, count))
  expect(bench.cloud.faults).toEqual([])
}

test('everything that waits arrives once, and the outbox is empty only after the ledger said so', async () => {
  fill()
  await bench.uplink.start(signal)
  await drained()
  expectAllOnce()
  expect(bench.cloud.repeats).toBe(0)
  const status = bench.uplink.status()
  expect(status).toMatchObject({ state: 'online', connects: 1, refused: 0 })
  expect(status.streams.usage).toEqual({ acknowledged: 20, unacknowledged: 0, sent: 7, resent: 0 })
  expect(status.bytesOut).toBeGreaterThan(1000)
  expect(status.bytesIn).toBeGreaterThan(1000)
})

test('what comes while it is online is sent at once', async () => {
  await bench.uplink.start(signal)
  await expect.poll(() => bench.uplink.status().state).toBe('online')
  for (let round = 1; round <= 5; round += 1) {
    bench.outbox.add('rd', `rd ${String(round)}`)
    await drained()
  }
  expect(bench.cloud.items('rd')).toEqual(numbered('rd', 5))
})

test('it says who it is when it comes and that it goes when it leaves', async () => {
  await bench.uplink.start(signal)
  await expect.poll(announcements).not.toEqual([])
  expect(announcements()[0]).toMatchObject({ online: true, bootId: 'boot-1', sw: '0.1.0' })
  expect(announcements()[0]?.streams?.usage).toMatchObject({ next: 1, oldest: 1, parent: null })
  await bench.uplink.stop()
  await expect.poll(() => bench.cloud.statuses.at(-1)).toEqual({ online: false })
  expect(bench.uplink.status().state).toBe('stopped')
  const late = await connectAsync(bench.brokerUrl, { clientId: 'late' })
  const retained: string[] = []
  late.on('message', (_topic, payload) => retained.push(payload.toString()))
  await late.subscribeAsync(upTopic(shardOf(gatewayId), gatewayId, 'status'))
  await expect.poll(() => retained).toEqual(['{"online":false}'])
  await late.endAsync()
})

test('it says goodbye once where the signal and its owner stop it at the same moment', async () => {
  const goodbyes = async (): Promise<number> => {
    const [before, announced] = [offline().length, announcements().length]
    const stopping = new AbortController()
    await bench.uplink.start(stopping.signal)
    // The first time the second announcement is the one with keys: nothing else is on its way then.
    await expect.poll(() => announcements().length).toBeGreaterThan(announced === 0 ? 1 : announced)
    stopping.abort()
    await bench.uplink.stop()
    await expect.poll(() => offline().length).toBeGreaterThan(before)
    await new Promise((resolve) => setTimeout(resolve, 200))
    return offline().length - before
  }
  const offline = () => bench.cloud.statuses.filter(({ online }) => !online)
  // Where the broker is slow, the connection is reset behind the goodbye and the will is told as well: then once more.
  let said = await goodbyes()
  for (let tries = 1; said > 1 && tries < 5; tries += 1) said = await goodbyes()
  expect(said).toBe(1)
  bench.outbox.add('rd', 'rd 1')
  await bench.uplink.start(signal)
  await drained()
})

test('the broker tells its will where the link is cut', async () => {
  await bench.uplink.start(signal)
  await expect.poll(announcements).not.toEqual([])
  bench.proxy.isRefusing = true
  bench.proxy.cut()
  await expect.poll(() => bench.cloud.statuses.at(-1)).toEqual({ online: false })
  await expect.poll(() => bench.uplink.status().state).toBe('waiting')
})

test('a link that is cut again and again loses nothing and doubles nothing', async () => {
  await bench.uplink.start(signal)
  const connects = (): number => bench.uplink.status().connects
  for (let round = 0; round < 10; round += 1) {
    // A slow machine would be cut before it ever connects.
    if (round % 5 === 0) await expect.poll(connects).toBeGreaterThan(round / 5)
    for (const stream of STREAMS) {
      bench.outbox.add(stream, `${stream} ${String(2 * round + 1)}`, `${stream} ${String(2 * round + 2)}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 20 + ((round * 37) % 60)))
    bench.proxy.cut()
  }
  await drained()
  expectAllOnce()
  expect(connects()).toBeGreaterThan(1)
})

test('a link that swallows everything is found dead by its missing acknowledgements', async () => {
  await bench.uplink.start(signal)
  await expect.poll(() => bench.uplink.status().state).toBe('online')
  bench.proxy.isSilent = true
  fill()
  await expect
    .poll(() => bench.log.join(), { timeout: 60_000 })
    .toContain('Nothing was acknowledged for too long.')
  bench.proxy.isSilent = false
  bench.proxy.cut()
  await drained()
  expectAllOnce()
})

test('a slow link is only slow', async () => {
  bench.proxy.delayMs = 50
  fill()
  await bench.uplink.start(signal)
  await drained()
  expectAllOnce()
})

test('what the ledger took without a word is sent again, byte by byte', async () => {
  bench.cloud.isMute = true
  fill()
  await bench.uplink.start(signal)
  await expect.poll(() => bench.cloud.repeats, { timeout: 60_000 }).toBeGreaterThan(0)
  expect(bench.outbox.isEmpty).toBe(false)
  bench.cloud.isMute = false
  await drained()
  expectAllOnce()
  expect(bench.uplink.status().streams.rd.resent).toBeGreaterThan(0)
})

test('a hole is filled from where the ledger wants, once', async () => {
  bench.cloud.overlooks.add('rd 2')
  bench.outbox.add('rd', ...numbered('rd', 20))
  await bench.uplink.start(signal)
  await drained()
  expect(bench.cloud.items('rd')).toEqual(numbered('rd', 20))
  // Seven batches; the six from the hole on go twice at most, whatever number of them reported it.
  expect(bench.uplink.status().streams.rd.sent).toBeLessThanOrEqual(13)
})

test('one silent stream is sent again while the others go on', async () => {
  bench.cloud.overlooks.add('usage 19')
  bench.outbox.add('usage', ...numbered('usage', 20))
  await bench.uplink.start(signal)
  const live = setInterval(() => {
    bench.outbox.add('rd', 'x')
  }, 100)
  try {
    await expect.poll(() => bench.cloud.items('usage'), { timeout: 60_000 }).toEqual(numbered('usage', 20))
  } finally {
    clearInterval(live)
  }
  expect(bench.uplink.status().connects).toBe(1)
})

test.for(['hold', 'fork', 'conflict', 'unknown_epoch'] as const)(
  'a stream in %s waits, the others go on, and a plain acknowledgement lets it go on',
  async (status) => {
    await bench.uplink.start(signal)
    for (const stream of STREAMS) bench.outbox.add(stream, `${stream} 1`)
    await drained()
    // A gateway without keys announces itself again when it has them; the ledger's answers to both are plain.
    await expect.poll(() => announcements().length).toBe(2)
    bench.cloud.acknowledge('usage', { status })
    await expect.poll(() => bench.log.join()).toContain('the ledger takes no more')
    for (const stream of STREAMS) bench.outbox.add(stream, `${stream} 2`)
    await expect.poll(() => bench.cloud.items('rd/h')).toHaveLength(2)
    expect(bench.cloud.items('usage')).toEqual(['usage 1'])
    bench.cloud.acknowledge('usage')
    await drained()
    expectAllOnce(2)
  },
)

test('a week of back-fill does not delay a live reading', async () => {
  await bench.stop()
  const slow = { bytesPerSecond: 20_000, burstBytes: 5_000 }
  bench = await makeBench({
    brokerPort: broker.port,
    uplink: {
      budgets: { control: slow, live: slow, backfill: { ...slow, bytesPerSecond: 5_000 }, link: slow },
    },
  })
  bench.outbox.add('rd/h', ...Array.from({ length: 300 }, () => 'h'.repeat(1000)))
  await bench.uplink.start(signal)
  await expect.poll(() => bench.cloud.items('rd/h').length).toBeGreaterThan(3)
  const before = bench.cloud.arrivals.length
  bench.outbox.add('rd', 'rd 1')
  bench.outbox.add('usage', 'usage 1')
  await expect
    .poll(() => bench.cloud.items('usage').length + bench.cloud.items('rd').length, { timeout: 60_000 })
    .toBe(2)
  const between = bench.cloud.arrivals.slice(before).filter((stream) => stream === 'rd/h')
  expect(between.length).toBeLessThanOrEqual(2)
})
