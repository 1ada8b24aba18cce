import { describe, expect, test } from 'vitest'
import type { Exchange, LineState } from '../../../hardware/line/line.ts'
import { openLine } from '../../../hardware/line/open-line.ts'
import { FakePort } from '../../support/fake-port.ts'
import { matchRead, readAnswer, readRequest, valuesOf } from '../../support/rtu.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const T35_MS = 38_500 / 9600
const REQUEST_MS = (8 * 11_000) / 9600
const TIMEOUT_MS = 200
const LATE_MS = 300
/** After opening the line is left quiet for so long. */
const OPEN_MS = 101

const ask = (register: number, change: Partial<Exchange> = {}): Exchange => ({
  tx: readRequest(7, register, 1),
  match: matchRead(7, 1),
  timeoutMs: TIMEOUT_MS,
  gapMs: 0,
  lateMs: LATE_MS,
  ...change,
})
const registerOf = (request: Uint8Array): number => (request[2] ?? 0) * 256 + (request[3] ?? 0)

/** An open line to a device that answers every read of one register with the register's number, after `thinkMs`. */
async function lineTo(thinkMs: (register: number) => number | null) {
  const clock = new VirtualClock()
  const port = new FakePort(clock)
  port.onRequest = (request) => {
    const delayMs = thinkMs(registerOf(request))
    if (delayMs !== null) port.arrive(readAnswer(7, [registerOf(request)]), REQUEST_MS + delayMs)
  }
  const config = {
    id: 'port1',
    port: { kind: 'path', path: '/dev/none' },
    baud: 9600,
    format: '8E1',
  } as const
  const line = openLine(config, { clock, random: () => 0.5, open: port.open })
  const states: [LineState, string | null][] = []
  line.onState((state, cause) => states.push([state, cause]))
  await line.start(new AbortController().signal)
  await clock.advance(OPEN_MS)
  /** The value read, or the reason why none was. */
  const read = async (register: number, change?: Partial<Exchange>): Promise<number | string> => {
    const reply = await line.exchange(ask(register, change))
    return reply.ok ? (valuesOf(reply.frame)[0] ?? 'empty') : reply.reason
  }
  return { clock, port, line, states, read }
}

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
    const config = {
      id: 'port1',
      port: { kind: 'path', path: '/dev/none' },
      baud: 9600,
      format: '8E1',
    } as const
    const line = openLine(config, { clock, random: () => 0.5, open: port.open })
    const stop = new AbortController()
    await line.start(stop.signal)
    expect(line.state).toBe('backoff')
    stop.abort()
    port.refusal = null
    await clock.advance(10_000)
    expect([port.opened, line.state]).toEqual([0, 'closed'])
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
