import { expect, test } from 'vitest'
import { Divergence, type Pair } from '../../../agent/cellular/divergence.ts'

/** Looks every 10 s for so many minutes, with a modem that tells every 30 s what it had counted up to then. */
function alarms(minutes: number, bytesAt: (second: number) => Pair): Pair[] {
  const divergence = new Divergence()
  let modem = 0n
  const raised: Pair[] = []
  for (let second = 0; second <= minutes * 60; second += 10) {
    const { kernel, modem: counted } = bytesAt(second)
    if (second % 30 === 0) modem = counted
    const parted = divergence.look('bearer', second * 1000, { kernel, modem })
    if (parted !== null) raised.push(parted)
  }
  return raised
}

const burst = (second: number): bigint => BigInt(second % 300 < 150 ? 0 : (second % 300) - 150) * 1_000_000n
const shapes = [
  ['idle', () => 5000n],
  ['steady at 1 MB/s', (second: number) => BigInt(second) * 1_000_000n],
  ['in bursts', (second: number) => BigInt(Math.floor(second / 300)) * 150_000_000n + burst(second)],
] as const
test.for(shapes)('counts that agree raise nothing: %s', ([, bytes]) => {
  const kernel = (second: number): bigint => bytes(second)
  expect(alarms(60, (second) => ({ kernel: kernel(second), modem: (kernel(second) * 103n) / 100n }))).toEqual(
    [],
  )
})

test('a modem that sees what the kernel does not is told once', () => {
  const offloaded = (second: number): Pair => ({
    kernel: BigInt(second) * 1000n,
    modem: BigInt(second) * 20_000n,
  })
  expect(alarms(30, offloaded)).toHaveLength(1)
})

test('a modem that stands still while the kernel counts is told once', () => {
  expect(alarms(30, (second) => ({ kernel: BigInt(second) * 20_000n, modem: 9n }))).toHaveLength(1)
})
