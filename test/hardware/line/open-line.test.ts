import { describe, expect, test } from 'vitest'
import type { FakePort } from '../../support/fake-port.ts'
import { readAnswer, readRequest } from '../../support/rtu.ts'
import { LATE_MS, OPEN_MS, REQUEST_MS, T35_MS, TIMEOUT_MS, ask, lineTo } from '../../support/virtual-line.ts'

describe('an exchange', () => {
  test('answers with the frame, when it was sent and how long the answer took', async () => {
    const { clock, line } = await lineTo(() => 20)
    const before = clock.wall()
    const reply = line.exchange(ask(5))
    await clock.advance(100)
    const result = await reply
    expect(result).toMatchObject({ ok: true, frame: readAnswer(7, [5]), strayBytes: 0 })
    expect(result.sentAt - before).toBe(Math.round(REQUEST_MS))
    expect(result.ok && result.tookMs).toBeCloseTo(20)
  })

  test('is sent only after t3.5 of silence, and after a longer gap where one is asked for', async () => {
    const { clock, port, read } = await lineTo(() => 5)
    const all = Promise.all([read(1), read(2), read(3, { gapMs: 25 })])
    await clock.advance(500)
    expect(await all).toEqual([1, 2, 3])
    const [first = 0, second = 0, third = 0] = port.sent.map(({ at }) => at)
    expect(second - first - REQUEST_MS - 5).toBeGreaterThanOrEqual(T35_MS)
    expect(second - first - REQUEST_MS - 5).toBeLessThan(T35_MS + 0.2)
    expect(third - second - REQUEST_MS - 5).toBeGreaterThanOrEqual(25)
  })

  test('waits for silence anew when bytes come while it waits', async () => {
    const { clock, port, read } = await lineTo(() => 5)
    port.arrive(Uint8Array.of(1), 0)
    for (let at = 2; at <= 20; at += 2) port.arrive(Uint8Array.of(at), at)
    const startedAt = clock.now()
    await clock.advance(1)
    const value = read(4)
    await clock.advance(300)
    expect(await value).toBe(4)
    expect((port.sent[0]?.at ?? 0) - startedAt - 20).toBeGreaterThanOrEqual(T35_MS)
  })

  test.for([
    ['timeout', () => undefined],
    [
      'crc',
      (port: FakePort) => {
        port.arrive(readAnswer(7, [1]).with(3, 0x77), 50)
      },
    ],
  ] as const)('that fails says %s', async ([reason, disturb]) => {
    const { clock, port, line } = await lineTo(() => null)
    const reply = line.exchange(ask(1))
    await clock.advance(1)
    disturb(port)
    await clock.advance(TIMEOUT_MS + REQUEST_MS + 50)
    expect(await reply).toMatchObject({ ok: false, reason })
    expect(line.stats()).toMatchObject({
      exchanges: 1,
      timeouts: reason === 'timeout' ? 1 : 0,
      crcErrors: reason === 'crc' ? 1 : 0,
    })
  })
})

describe('a late answer', () => {
  test('is not taken for the next one: nothing is asked until it can no longer come', async () => {
    const { clock, port, line, read } = await lineTo((register) => (register === 1 ? TIMEOUT_MS + 100 : 5))
    const first = read(1)
    const second = read(2)
    await clock.advance(2000)
    expect([await first, await second]).toEqual(['timeout', 2])
    const [asked = 0, next = 0] = port.sent.map(({ at }) => at)
    expect(next - asked).toBeGreaterThanOrEqual(REQUEST_MS + TIMEOUT_MS + LATE_MS)
    expect(line.stats()).toMatchObject({ lateReplies: 1, strayBytes: 7 })
  })

  test('is not taken either where the process stood still and has not read it yet', async () => {
    const { clock, port, read } = await lineTo((register) => (register === 1 ? TIMEOUT_MS + LATE_MS - 10 : 5))
    const first = read(1)
    const second = read(2)
    await clock.advance(REQUEST_MS + TIMEOUT_MS + 50)
    expect(await first).toBe('timeout')
    // The answer arrives and the quarantine ends while nothing runs.
    clock.stall(300)
    await clock.advance(1000)
    expect(await second).toBe(2)
    expect(port.sent).toHaveLength(2)
  })
})

describe('a process that stands still', () => {
  test('does not take an answer for missing that came in time', async () => {
    const { clock, read } = await lineTo(() => 100)
    const value = read(9)
    await clock.advance(50)
    clock.stall(400)
    await clock.advance(100)
    expect(await value).toBe(9)
  })

  test('reads first what has arrived, also where it stood still too short to notice', async () => {
    const { clock, read } = await lineTo(() => TIMEOUT_MS - 1)
    const value = read(9)
    await clock.advance(REQUEST_MS + TIMEOUT_MS - 10)
    clock.stall(13)
    await clock.advance(1)
    expect(await value).toBe(9)
  })

  test('gives up in the end where no answer came', async () => {
    const { clock, read } = await lineTo(() => null)
    const value = read(9)
    for (let round = 0; round < 20; round += 1) {
      clock.stall(100)
      await clock.advance(10)
    }
    expect(await value).toBe('timeout')
  })
})

describe('a talker that never ends', () => {
  test('neither gets requests sent into its talk nor keeps callers waiting for ever', async () => {
    const { clock, port, line, read } = await lineTo(() => 5)
    for (let at = 0; at < 5000; at += 2) port.arrive(new Uint8Array(2).fill(7), at)
    await clock.advance(1)
    const values = Promise.all([read(1), read(2), read(3)])
    await clock.advance(2000)
    expect(await values).toEqual(['timeout', 'timeout', 'timeout'])
    expect(port.sent).toHaveLength(0)
    expect(line.stats()).toMatchObject({ gapViolations: 3, timeouts: 3 })
    await clock.advance(3500)
    const after = read(4)
    await clock.advance(100)
    expect(await after).toBe(4)
  })
})

describe('a broadcast', () => {
  test('waits for no answer, and its silence is kept before the next request', async () => {
    const { clock, port, line, read } = await lineTo((register) => (register === 0 ? null : 5))
    const before = clock.wall()
    const sent = line.send(readRequest(0, 0, 1), 50)
    const value = read(3)
    await clock.advance(500)
    expect(await sent).toMatchObject({ ok: true, sentAt: before + Math.round(REQUEST_MS) })
    expect(await value).toBe(3)
    const [first = 0, second = 0] = port.sent.map(({ at }) => at)
    expect(second - first).toBeGreaterThanOrEqual(REQUEST_MS + 50)
  })
})

test('sniffers hear every byte, and the share of busy time is told', async () => {
  const { clock, line, read } = await lineTo(() => 100)
  const heard: number[] = []
  const stop = line.sniff((bytes) => heard.push(...bytes))
  const value = read(3)
  await clock.advance(1000 - OPEN_MS)
  expect(await value).toBe(3)
  expect(heard).toEqual([...readAnswer(7, [3])])
  expect(line.stats().utilisation).toBeCloseTo((REQUEST_MS + 100) / 1000, 1)
  stop()
  const next = read(3)
  await clock.advance(200)
  await next
  expect(heard).toHaveLength(7)
})
