import { afterEach, describe, expect, test } from 'vitest'
import {
  HardwareError,
  type ScanEvent,
  type SniffedFrame,
  scanLine,
  sniffLine,
  tryDevice,
} from '../../../hardware/index.ts'
import { COUNTER_PROFILE, CounterSlaves } from '../../support/counter-slaves.ts'
import { openSite } from '../../support/hardware-site.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})
async function site() {
  const opened = await openSite({ devices: 3, everyMs: 1000 })
  cleanups.push(opened.close)
  return opened
}
const SPEED = { baud: 19_200, format: '8E1' } as const
const unaborted = new AbortController().signal
const IDENTIFIED = `${COUNTER_PROFILE}
identify: { read: { holding: 0 }, type: uint32, order: ABCD, expect: "0..1000" }
`
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('a scan', () => {
  test('finds what answers, knows it by its profile, and says how far it is', async () => {
    const { end, slaves } = await site()
    slaves.dead.add(2)
    const events: ScanEvent[] = []
    const request = { port: end.port, bauds: [19_200], formats: ['8E1'], addresses: [1, 2, 3, 4] } as const
    for await (const event of scanLine({ ...request, profiles: [IDENTIFIED], signal: unaborted }))
      events.push(event)
    expect(events.filter(({ kind }) => kind === 'asking').length).toBe(4)
    expect(events.filter(({ kind }) => kind !== 'asking')).toMatchObject([
      { kind: 'found', address: 1, baud: 19_200, exception: null, profiles: ['counter/1'] },
      { kind: 'found', address: 3, profiles: ['counter/1'] },
    ])
  })

  test('tells two devices at one address from silence', async () => {
    const { end, wire } = await site()
    const twin = new CounterSlaves([2])
    twin.thinkMs = 8
    twin.join(wire.join('twin'))
    const events: ScanEvent[] = []
    const request = { port: end.port, bauds: [19_200], formats: ['8E1'], addresses: [2, 9] } as const
    for await (const event of scanLine({ ...request, profiles: [], signal: unaborted })) {
      if (event.kind !== 'asking') events.push(event)
    }
    expect(events).toMatchObject([{ kind: 'garbled', address: 2 }])
  })

  test('says why a port cannot be opened', async () => {
    const request = {
      port: { kind: 'path', path: '/nonexistent/tty' },
      bauds: [9600],
      formats: ['8N1'],
    } as const
    const scan = scanLine({ ...request, addresses: [1], profiles: [], signal: unaborted })
    const error: unknown = await scan.next().catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(HardwareError)
    expect(error).toMatchObject({ code: 'LINE_UNAVAILABLE' })
    expect(String(error)).toContain('/nonexistent/tty')
  })
})

describe('a trial', () => {
  test('shows the bytes of one poll both ways, and the readings', async () => {
    const { end } = await site()
    const result = await tryDevice({
      port: end.port,
      ...SPEED,
      address: 2,
      profile: COUNTER_PROFILE,
      signal: unaborted,
    })
    expect(result).toMatchObject({ profile: 'counter/1', verdict: 'whole' })
    expect(
      result.exchanges.map(({ sent, received, outcome }) => [hex(sent), hex(received), outcome]),
    ).toEqual([['020300000002c438', '0203040000000108f3', 'answer']])
    expect(result.readings).toMatchObject([{ channel: 'count', value: 1, quality: 'good' }])
  })

  test('of a silent device is a verdict, with what was sent', async () => {
    const { end, slaves } = await site()
    slaves.dead.add(2)
    const result = await tryDevice({
      port: end.port,
      ...SPEED,
      address: 2,
      profile: COUNTER_PROFILE,
      signal: unaborted,
    })
    expect(result).toMatchObject({ verdict: 'silent', exchanges: [{ outcome: 'timeout', tookMs: null }] })
    expect(result.readings).toMatchObject([{ value: null, quality: 'bad', reason: 'timeout' }])
  })
})

test('a sniffer shows what others say, with the pauses between, and sends nothing', async () => {
  const { end, wire, slaves } = await site()
  const abort = new AbortController()
  const other = wire.join('another master')
  const heard: SniffedFrame[] = []
  const ask = (): void => {
    other.send(Buffer.from('020300000002c438', 'hex'))
  }
  const timer = setInterval(ask, 300)
  cleanups.push(async () => {
    clearInterval(timer)
  })
  for await (const frame of sniffLine({ port: end.port, ...SPEED, signal: abort.signal })) {
    heard.push(frame)
    if (heard.length >= 4) abort.abort()
  }
  expect(heard.slice(0, 4).map(({ frame }) => frame?.role)).toEqual([
    'request',
    'answer',
    'request',
    'answer',
  ])
  expect(heard[0]?.gapMs).toBeNull()
  expect(heard[2]?.gapMs).toBeGreaterThan(100)
  expect(wire.stats().masterFrames).toBe(0)
  expect(slaves.log.length).toBeGreaterThanOrEqual(2)
})
