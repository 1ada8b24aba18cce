import { expect, test } from 'vitest'
import { type Stream, STREAMS } from '../../../cloud-sync/contract/index.ts'
import { makeBench, startAedes } from './link-bench.ts'

const PORT_CALLS = new Set(['next', 'acknowledge', 'streams', 'version', 'keyset', 'apply'])

/** Counts the calls of every port together and fails one of them. `kind` says how far it got. */
function failingAt(
  failAt: number,
  kind: 'before' | 'after',
): {
  around: <T extends object>(port: T) => T
  calls: () => number
} {
  let calls = 0
  const around = <T extends object>(port: T): T =>
    new Proxy(port, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function') return member
        const call = member.bind(target) as (...args: unknown[]) => unknown
        if (!PORT_CALLS.has(String(name))) return call
        return (...args: unknown[]): unknown => {
          calls += 1
          if (calls !== failAt) return call(...args)
          // After: the work was done, only the caller never hears of it, as when the process dies in between.
          if (kind === 'after') call(...args)
          throw new Error(`call ${String(failAt)}, ${String(name)}, fails`)
        }
      },
    })
  return { around, calls: () => calls }
}

const expected = (stream: Stream): string[] => [1, 2, 3, 4].map((n) => `${stream} ${String(n)}`)

/** A whole drain in which one call fails. Resolves with how many calls there were. */
async function drainFailingAt(failAt: number, kind: 'before' | 'after'): Promise<number> {
  const ports = failingAt(failAt, kind)
  const broker = await startAedes()
  const bench = await makeBench({
    brokerPort: broker.port,
    around: ports.around,
    uplink: { random: () => 0.1, timeScale: 0.01 },
  })
  try {
    for (const stream of STREAMS) bench.outbox.add(stream, ...expected(stream))
    await bench.uplink.start(new AbortController().signal)
    await expect
      .poll(() => bench.outbox.isEmpty && bench.membership.version() === 7, { timeout: 60_000, interval: 5 })
      .toBe(true)
    for (const stream of STREAMS) expect(bench.cloud.items(stream)).toEqual(expected(stream))
    expect(bench.cloud.faults).toEqual([])
  } finally {
    await bench.stop()
    await broker.stop()
  }
  return ports.calls()
}

/** Drains at the same time; each mostly waits. */
const TOGETHER = 16

test.for(['before', 'after'] as const)(
  'whichever call of a port fails (%s its work), nothing is lost or doubled',
  { timeout: 120_000 },
  async (kind) => {
    let failAt = 1
    for (let isDone = false; !isDone; failAt += TOGETHER) {
      const round = Array.from({ length: TOGETHER }, (_, index) => failAt + index)
      const calls = await Promise.all(round.map((at) => drainFailingAt(at, kind)))
      isDone = round.some((at, index) => (calls[index] ?? 0) < at)
    }
    // Every step of a whole drain was made to fail once.
    expect(failAt).toBeGreaterThan(20)
  },
)
