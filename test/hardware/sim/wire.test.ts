import { describe, expect, test } from 'vitest'
import { type WireConfig, MASTER, createWire } from '../../../hardware/sim/wire.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const CHARACTER_MS = 11_000 / 9600

function wireWith(options: Partial<WireConfig> = {}) {
  const clock = new VirtualClock()
  const wire = createWire({ baud: 9600, format: '8E1', clock, random: () => 0.5, ...options })
  const hear = (name: string) => {
    const heard: { bytes: number[]; at: number; heardAt: number }[] = []
    const port = wire.join(name)
    port.onBytes((bytes, at) => heard.push({ bytes: [...bytes], at, heardAt: clock.now() }))
    return { port, heard, bytes: () => heard.flatMap(({ bytes }) => bytes) }
  }
  return { clock, wire, hear }
}

describe('the paced wire', () => {
  test('spends one character time on every byte and hands over none before its end', async () => {
    const { clock, hear } = wireWith()
    const master = hear(MASTER)
    const slave = hear('slave')
    master.port.send(Uint8Array.from({ length: 20 }, (_, index) => index))
    await clock.advance(19.5 * CHARACTER_MS)
    expect([17, 18, 19]).toContain(slave.bytes().length)
    await clock.advance(CHARACTER_MS)
    expect(slave.bytes()).toEqual(Array.from({ length: 20 }, (_, index) => index))
    expect(slave.heard.length).toBeGreaterThan(10)
    expect(slave.heard.every(({ at, heardAt }) => heardAt >= at - 1e-9)).toBe(true)
    expect(slave.heard.at(-1)?.at).toBeCloseTo(20 * CHARACTER_MS)
    expect(slave.heard.at(-1)?.heardAt).toBeCloseTo(20 * CHARACTER_MS, 0)
    expect(master.bytes()).toEqual([])
  })

  test('sends what one port gives in pieces one piece behind the other', async () => {
    const { clock, hear } = wireWith()
    const master = hear(MASTER)
    const slave = hear('slave')
    master.port.send(Uint8Array.of(1, 2))
    master.port.send(Uint8Array.of(3))
    await clock.advance(100)
    expect(slave.heard.at(-1)?.at).toBeCloseTo(3 * CHARACTER_MS)
  })

  test('lets a port name the moment of its first byte', async () => {
    const { clock, hear } = wireWith()
    const master = hear(MASTER)
    hear('slave').port.send(Uint8Array.of(9), 12.5)
    await clock.advance(50)
    expect(master.heard[0]?.at).toBeCloseTo(12.5 + CHARACTER_MS)
  })

  test('garbles and counts what two ports send at the same time, for both', async () => {
    const { clock, wire, hear } = wireWith()
    const one = hear('one')
    const two = hear('two')
    const third = hear('third')
    one.port.send(Uint8Array.of(1, 1, 1, 1))
    two.port.send(Uint8Array.of(2, 2, 2), 2.5 * CHARACTER_MS)
    await clock.advance(50)
    expect(wire.stats()).toMatchObject({ collisions: 1, garbledBytes: 4, bytes: 7 })
    expect(one.bytes()).toEqual([128, 128, 2])
    expect(two.bytes()).toEqual([1, 1, 128, 128])
    expect(third.bytes()).toHaveLength(7)
  })

  test.for([
    ['of 4.0 ms is short at 9600 baud', 4.0, 1],
    ['of 4.1 ms is not', 4.1, 0],
  ] as const)("a master's gap %s", async ([, gapMs, short]) => {
    const { clock, wire, hear } = wireWith()
    const master = hear(MASTER)
    const slave = hear('slave')
    master.port.send(Uint8Array.of(1, 2))
    slave.port.send(Uint8Array.of(3, 4), 10)
    await clock.advance(11)
    master.port.send(Uint8Array.of(5), 10 + 2 * CHARACTER_MS + gapMs)
    await clock.advance(50)
    const stats = wire.stats()
    expect(stats).toMatchObject({ masterFrames: 2, shortGaps: short })
    expect(stats.shortestGapMs).toBeCloseTo(gapMs)
  })

  test('gives the master its echo only where the adapter echoes, and no slave ever', async () => {
    const { clock, wire, hear } = wireWith({ echo: true })
    const master = hear(MASTER)
    const slave = hear('slave')
    master.port.send(Uint8Array.of(7))
    slave.port.send(Uint8Array.of(8), 20)
    await clock.advance(50)
    expect([master.bytes(), slave.bytes()]).toEqual([[7, 8], [7]])
    wire.setEcho(false)
    master.port.send(Uint8Array.of(9))
    await clock.advance(50)
    expect(master.bytes()).toEqual([7, 8])
  })

  test('makes noise while told to, and none after', async () => {
    const { clock, wire, hear } = wireWith({ noise: { burstsPerSecond: 10 } })
    const slave = hear('slave')
    await clock.advance(2000)
    const heard = slave.bytes().length
    expect(heard).toBeGreaterThan(10)
    wire.setNoise(null)
    await clock.advance(2000)
    expect(slave.bytes().length).toBeLessThanOrEqual(heard + 4)
    wire.setNoise({ byteErrorRate: 1 })
    hear('other').port.send(Uint8Array.of(0))
    await clock.advance(10)
    expect(slave.bytes().at(-1)).toBe(1 << 4)
  })

  test('cuts off a port that leaves, and drops what no wire could keep up with', async () => {
    const { clock, wire, hear } = wireWith()
    const flood = hear('flood')
    const slave = hear('slave')
    flood.port.send(new Uint8Array(70_000))
    expect(wire.stats().droppedBytes).toBe(70_000 - 65_536)
    await clock.advance(10.5 * CHARACTER_MS)
    flood.port.leave()
    await clock.advance(100)
    expect(slave.bytes()).toHaveLength(10)
    flood.port.send(Uint8Array.of(1))
    await clock.advance(100)
    expect(slave.bytes()).toHaveLength(10)
  })
})
