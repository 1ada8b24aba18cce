import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Ack, type Hash, type Stream, STREAMS } from '../../../cloud-sync/contract/index.ts'
import type { Outbox, StoredBatch } from '../../../cloud-sync/gateway/index.ts'

/** An implementation on the bench. */
export interface OutboxOnTheBench {
  readonly outbox: Outbox
  /** Makes something new wait in the stream, enough for a batch of its own, and resolves when it does. */
  put(stream: Stream): Promise<void>
  /** Chain head after this batch, as the ledger would tell it. */
  headOf(batch: StoredBatch): Hash
  /** The same outbox after a restart of the process; absent where it does not survive one. */
  reopen?(): Promise<Outbox>
  close(): Promise<void>
}

/** What the uplink relies on, run on every implementation of the port. */
export function outboxConforms(name: string, make: () => Promise<OutboxOnTheBench>): void {
  describe(`${name} is an outbox`, () => {
    let bench: OutboxOnTheBench
    beforeEach(async () => {
      bench = await make()
    })
    afterEach(async () => {
      await bench.close()
    })

    const batch = async (stream: Stream, after: number, outbox = bench.outbox): Promise<StoredBatch> => {
      const next = await outbox.next(stream, after)
      if (next === undefined) throw new Error(`nothing waits in ${stream} after ${after}`)
      return next
    }
    const epochOf = (stream: Stream): Ack['epoch'] => {
      const epoch = bench.outbox.streams()[stream]?.epoch
      if (epoch === undefined) throw new Error(`${stream} is not announced`)
      return epoch
    }
    const ackOf = (of: StoredBatch, change: Partial<Ack> = {}): Ack => ({
      epoch: of.epoch,
      upTo: of.last,
      hash: bench.headOf(of),
      status: 'ok',
      serverTime: 1_790_000_000_000,
      ...change,
    })

    test.for(STREAMS)('%s gives nothing where nothing waits', async (stream) => {
      expect(await bench.outbox.next(stream, 0)).toBeUndefined()
      expect(bench.outbox.streams()[stream]).toMatchObject({ next: 1, oldest: 1 })
    })

    test.for(STREAMS)('%s is numbered from 1 without a hole, under one epoch', async (stream) => {
      let after = 0
      for (let round = 0; round < 3; round += 1) {
        await bench.put(stream)
        const made = await batch(stream, after)
        expect(made.first).toBe(after + 1)
        expect(made.last).toBeGreaterThanOrEqual(made.first)
        expect(made).toMatchObject({ stream, epoch: epochOf(stream) })
        after = made.last
      }
      expect(bench.outbox.streams()[stream]?.next).toBe(after + 1)
    })

    test.for(STREAMS)('a batch of %s comes again byte by byte, also after a restart', async (stream) => {
      await bench.put(stream)
      const first = await batch(stream, 0)
      await bench.put(stream)
      expect(await batch(stream, 0)).toEqual(first)
      const second = await batch(stream, first.last)
      const again = await bench.reopen?.()
      if (again === undefined) return
      expect(await batch(stream, 0, again)).toEqual(first)
      expect(await batch(stream, first.last, again)).toEqual(second)
    })

    test.for(STREAMS)('an acknowledgement of %s takes away exactly what it names', async (stream) => {
      await bench.put(stream)
      const first = await batch(stream, 0)
      await bench.put(stream)
      const second = await batch(stream, first.last)
      await bench.outbox.acknowledge(stream, ackOf(first))
      expect(await batch(stream, 0)).toEqual(second)
      // An older one again, as a broker may deliver it, changes nothing.
      await bench.outbox.acknowledge(stream, ackOf(first))
      expect(await batch(stream, 0)).toEqual(second)
      await bench.outbox.acknowledge(stream, ackOf(second))
      expect(await bench.outbox.next(stream, 0)).toBeUndefined()
      await bench.put(stream)
      expect((await batch(stream, 0)).first).toBe(second.last + 1)
    })

    test.for(STREAMS)('a gap reported in %s loses nothing', async (stream) => {
      await bench.put(stream)
      const first = await batch(stream, 0)
      await bench.put(stream)
      const second = await batch(stream, first.last)
      await bench.outbox.acknowledge(stream, ackOf(first, { status: 'gap', want: second.first }))
      expect(await batch(stream, first.last)).toEqual(second)
    })

    test('an acknowledgement of one stream leaves the others alone', async () => {
      for (const stream of STREAMS) await bench.put(stream)
      const made = await Promise.all(STREAMS.map((stream) => batch(stream, 0)))
      for (const [index, stream] of STREAMS.entries()) {
        const own = made[index]
        if (own !== undefined) await bench.outbox.acknowledge(stream, ackOf(own))
        for (const other of STREAMS.slice(index + 1)) {
          expect(await batch(other, 0)).toEqual(made[STREAMS.indexOf(other)])
        }
      }
    })

    test.for(STREAMS)('a listener hears of %s until it stops listening', async (stream) => {
      const heard: Stream[] = []
      const stop = bench.outbox.onWaiting((which) => heard.push(which))
      await bench.put(stream)
      await expect.poll(() => heard, { timeout: 60_000 }).toContain(stream)
      stop()
      heard.length = 0
      await bench.put(stream)
      expect(heard).toEqual([])
    })
  })
}
