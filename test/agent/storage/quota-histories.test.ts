import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeReadingBatch, sha256 } from '../../../cloud-sync/codec/index.ts'
import type { Stream } from '../../../cloud-sync/contract/index.ts'
import { type Placed, QuotaSite } from '../../support/quota-site.ts'

const HOUR_MS = 3_600_000
const DEVICES: readonly Placed[] = ['wall-1', 'wall-2', 'crest-1', 'loose']

/** Everything that a stream can send now, acknowledged; numbers without a hole. */
async function drain(site: QuotaSite, stream: Stream, into: Map<number, number>): Promise<void> {
  for (;;) {
    const { next = 1 } = site.store.outbox.streams()[stream] ?? {}
    const batch = await site.store.outbox.next(stream, next - 1)
    if (batch === undefined) return
    expect(batch.first).toBe(next)
    for (const { value } of decodeReadingBatch(batch.body).readings)
      into.set(Number(value), (into.get(Number(value)) ?? 0) + 1)
    const hash = sha256(batch.body)
    const { epoch, last: upTo } = batch
    await site.store.outbox.acknowledge(stream, { epoch, upTo, hash, status: 'ok', serverTime: 0 })
  }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...DEVICES).map((device) => ({ do: 'take', device }) as const) },
  {
    weight: 3,
    arbitrary: fc
      .record({ wall: fc.integer({ min: 0, max: 12 }), crest: fc.integer({ min: 0, max: 12 }) })
      .map((limits) => ({ do: 'limit', limits }) as const),
  },
  fc.constant({ do: 'send-live' } as const),
  fc.constant({ do: 'send-late' } as const),
  fc.constant({ do: 'pack' } as const),
  fc.constant({ do: 'restart' } as const),
  fc.constant({ do: 'month' } as const),
)

test('whatever limits, restarts, packing and months do, each reading is sent exactly once in the end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      const site = new QuotaSite()
      try {
        const sent = new Map<number, number>()
        let taken = 0
        await site.limit({})
        for (const one of steps) {
          switch (one.do) {
            case 'take':
              await site.take(one.device, [(taken += 1)])
              break
            case 'limit':
              await site.limit(one.limits)
              break
            case 'send-live':
              await drain(site, 'rd', sent)
              break
            case 'send-late':
              await drain(site, 'rd/h', sent)
              break
            case 'pack':
              site.clock.pass(HOUR_MS)
              site.store.published(1_000)
              site.store.upkeep()
              await site.look()
              break
            case 'restart':
              await site.reopen()
              break
            case 'month':
              site.pass(31)
              await site.look()
          }
        }
        await site.limit({})
        for (const stream of ['rd', 'rd/h'] as const) await drain(site, stream, sent)
        expect([...sent.keys()].toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: taken }, (_, index) => index + 1),
        )
        expect([...sent.values()].every((times) => times === 1)).toBe(true)
      } finally {
        await site.remove()
      }
    }),
    { numRuns: 25 },
  )
}, 60_000)
