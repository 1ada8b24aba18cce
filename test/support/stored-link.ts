import { GatewayStatus } from '../../cloud-sync/contract/index.ts'
import type { Store } from '../../agent/storage/index.ts'
import type { FakeGateway } from './fake-gateway.ts'
import type { TestLedger } from './test-ledger.ts'

/** New epochs that one upload may take; a ledger that refuses every one is a fault. */
const CONNECTIONS_MAX = 5

/** Waits for work of the store without its window. */
async function atOnce<T>(store: Store, work: Promise<T>): Promise<T> {
  store.writer.hurry()
  return work
}

/** Announces the usage of a store and uploads it until nothing is left, as a link without loss does. */
export async function uploadUsage(store: Store, ledger: TestLedger, gateway: FakeGateway): Promise<void> {
  for (let connections = 0; connections < CONNECTIONS_MAX; connections += 1) {
    if (await uploaded(store, ledger, gateway)) return
  }
  throw new Error('one epoch after the other is refused')
}

/** False where the stream goes on under a new epoch, which is to be announced. */
async function uploaded(store: Store, ledger: TestLedger, gateway: FakeGateway): Promise<boolean> {
  const epoch = (): string | undefined => store.outbox.streams().usage?.epoch
  const before = epoch()
  const hear = async (answers: Awaited<ReturnType<TestLedger['announce']>>): Promise<boolean> => {
    for (const { stream, ...ack } of answers) {
      if (stream === 'usage')
        await atOnce(store, store.outbox.acknowledge('usage', { ...ack, serverTime: 1 }))
    }
    return epoch() === before
  }
  const status = GatewayStatus.parse({ online: true, streams: store.outbox.streams() })
  if (!(await hear(await ledger.announce(gateway, status)))) return false
  for (let cursor = 0; ; ) {
    const batch = await store.outbox.next('usage', cursor)
    if (batch === undefined) return true
    const answer = await ledger.deliver(gateway, 'usage', batch.body)
    if (answer === undefined || !(await hear([answer]))) return false
    cursor = answer.status === 'gap' ? (answer.want ?? 1) - 1 : batch.last
  }
}

/** What `kill -9` leaves: nothing is said or written any more. */
export function killStore(store: Store): void {
  store.outbox.stop()
  store.parts.database.close()
  store.parts.lock.release()
}
