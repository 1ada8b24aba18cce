import { decodeUsageBatch, sha256 } from '../../../cloud-sync/codec/index.ts'
import type { Hash, Stream } from '../../../cloud-sync/contract/index.ts'
import type { StoredBatch } from '../../../cloud-sync/gateway/index.ts'
import { outboxConforms } from '../../cloud-sync/gateway/outbox-conforms.ts'
import { ownedReading, StoppedClock, temporaryFolder, testStore } from '../../support/store.ts'

outboxConforms('the outbox in SQLite', async () => {
  const place = temporaryFolder()
  const clock = new StoppedClock()
  let store = testStore(place.folder, { clock, windowMs: 2 })
  const take = (): Promise<void> => store.take([ownedReading(store)])

  const putters: Record<Stream, () => Promise<unknown>> = {
    usage: async () => {
      await take()
      clock.pass(3_600_000)
      await take()
    },
    rd: take,
    'rd/h': async () => {
      // What waits for the live lane is not to grow old with it.
      await store.outbox.next('rd', Number.MAX_SAFE_INTEGER)
      await take()
      clock.pass(200_000)
      store.upkeep()
      await store.writer.commitSoon()
    },
    evt: () => store.recordEvent('alarm', {}),
  }
  return {
    outbox: store.outbox,
    put: async (stream) => {
      await putters[stream]()
    },
    headOf: ({ stream, body }: StoredBatch): Hash =>
      stream === 'usage' ? (decodeUsageBatch(body).records.at(-1)?.hash ?? sha256(body)) : sha256(body),
    reopen: async () => {
      await store.stop()
      store = testStore(place.folder, { clock, windowMs: 2 })
      return store.outbox
    },
    close: async () => {
      await store.stop()
      place.remove()
    },
  }
})
