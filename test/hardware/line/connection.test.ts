import { describe, expect, test } from 'vitest'
import { openLine } from '../../../hardware/line/open-line.ts'
import { FakePort } from '../../support/fake-port.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { LATE_MS, LINE_CONFIG, REQUEST_MS, TIMEOUT_MS, lineTo } from '../../support/virtual-line.ts'

describe('a port that is lost', () => {
  test('ends the exchange under way and those that wait, and is opened again by itself', async () => {
    const { clock, port, line, states, read } = await lineTo(() => 50)
    const values = Promise.all([read(1), read(2), read(3)])
    await clock.advance(20)
    port.refusal = 'ENOENT'
    port.lose()
    await clock.advance(1)
    expect(await values).toEqual(['line-lost', 'line-lost', 'line-lost'])
    expect(line.state).toBe('lost')
    await clock.advance(10_000)
    expect(line.state).toBe('backoff')
    port.refusal = 'EACCES'
    await clock.advance(10_000)
    port.refusal = null
    await clock.advance(600)
    expect(line.state).toBe('open')
    const value = read(4)
    await clock.advance(1000)
    expect(await value).toBe(4)
    expect(states).toEqual([
      ['open', null],
      ['lost', 'EIO'],
      ['backoff', 'ENOENT'],
      ['backoff', 'EACCES'],
      ['open', null],
    ])
    expect(line.stats().reopens).toBe(1)
  })

  test('is left quiet after it is back as long as the last request may still be answered', async () => {
    const { clock, port, read } = await lineTo(() => null)
    const value = read(1)
    await clock.advance(20)
    const askedAt = port.sent[0]?.at ?? 0
    port.lose()
    await clock.advance(100)
    const next = read(2)
    await clock.advance(2000)
    expect([await value, await next]).toEqual(['line-lost', 'timeout'])
    expect((port.sent[1]?.at ?? 0) - askedAt).toBeGreaterThanOrEqual(REQUEST_MS + TIMEOUT_MS + LATE_MS)
  })

  test('is taken for lost where it takes no bytes', async () => {
    const { clock, port, line, read } = await lineTo(() => 5)
    port.isStuck = true
    const value = read(1)
    await clock.advance(1300)
    expect(await value).toBe('timeout')
    expect(port.closed).toBe(1)
    port.isStuck = false
    await clock.advance(1000)
    expect(line.state).toBe('open')
    const next = read(2)
    await clock.advance(1000)
    expect(await next).toBe(2)
  })
})

describe('a line that is stopped', () => {
  test('answers who waits, gives the port back and does not open again', async () => {
    const { clock, port, line, read } = await lineTo(() => 50)
    const values = Promise.all([read(1), read(2)])
    await clock.advance(20)
    await line.stop()
    expect(await values).toEqual(['line-lost', 'line-lost'])
    expect([port.closed, line.state]).toEqual([1, 'closed'])
    await clock.advance(10_000)
    expect(port.opened).toBe(1)
    expect(await read(3)).toBe('line-lost')
  })

  test('by its signal, also while it tries to open', async () => {
    const clock = new VirtualClock()
    const port = new FakePort(clock)
    port.refusal = 'Cannot lock port'
    const line = openLine(LINE_CONFIG, { clock, random: () => 0.5, open: port.open })
    const stop = new AbortController()
    await line.start(stop.signal)
    expect(line.state).toBe('backoff')
    stop.abort()
    port.refusal = null
    await clock.advance(10_000)
    expect([port.opened, line.state]).toEqual([0, 'closed'])
  })
})

test('a port that opens only after the stop is given back at once', async () => {
  const clock = new VirtualClock()
  const port = new FakePort(clock)
  let letOpen: () => void = () => undefined
  const isLetOpen = new Promise<void>((resolve) => {
    letOpen = resolve
  })
  const line = openLine(LINE_CONFIG, {
    clock,
    open: async (...given) => {
      await isLetOpen
      return port.open(...given)
    },
  })
  const started = line.start(new AbortController().signal)
  const stopped = line.stop()
  await clock.advance(100)
  await stopped
  letOpen()
  await started
  await clock.advance(1000)
  expect([port.opened, port.closed, line.state]).toEqual([1, 1, 'closed'])
})
