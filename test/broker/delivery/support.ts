import { Bounds } from '../../../broker/bounds.ts'
import type { Outbound, Outgoing } from '../../../broker/delivery/outgoing.ts'
import { Session } from '../../../broker/delivery/session.ts'
import { StoredRoom } from '../../../broker/delivery/stored-room.ts'
import { newCounts } from '../../../broker/exchange/counts.ts'
import { openBrokerStorage } from '../../../broker/index.ts'
import { type BrokerLimits, DEFAULT_LIMITS } from '../../../broker/limits.ts'
import { SqliteMessageStore } from '../../../broker/persistence/index.ts'
import type { Principal } from '../../../broker/policy.ts'

const quiet = (): void => undefined
const log = { info: quiet, warn: quiet, error: quiet }

/** The way out of a subscriber, without a socket: what was sent, as text. */
export function wayOut(changed: Partial<BrokerLimits> = {}): { outgoing: Outgoing; sent: string[] } {
  const limits = { ...DEFAULT_LIMITS, ...changed }
  const sent: string[] = []
  const outgoing = {
    limits,
    counts: newCounts(new Bounds(limits, log)),
    connection: { isOpen: true, backlog: 0, close: (reason: string) => void sent.push(`closed ${reason}`) },
    hasRoom: true,
    isCrowded: () => false,
    wait: quiet,
    publish: ({ payload, messageId, dup }: Outbound) =>
      void sent.push(`${payload.toString()} as ${messageId}${dup ? ' again' : ''}`),
    pubrel: (messageId: number) => void sent.push(`release ${messageId}`),
  }
  return { outgoing: outgoing as unknown as Outgoing, sent }
}

interface StoredRow {
  readonly seq: number
  readonly qos: 1 | 2
}

/** A stored session of `ana` with these rows in its queue, over a store in memory. */
export async function sessionWith(
  rows: readonly StoredRow[],
  changed: Partial<BrokerLimits> = {},
): Promise<{ session: Session<Principal>; store: SqliteMessageStore; close: () => void }> {
  const storage = openBrokerStorage(':memory:', { onDamage: quiet })
  const store = new SqliteMessageStore(storage)
  store.load()
  store.openSession('c', 'ana')
  for (const { seq, qos } of rows) {
    const message = { topic: 't', payload: Buffer.from(String(seq)), qos, retain: false } as const
    store.enqueue(message, [{ clientId: 'c', seq, qos }])
  }
  await store.committed()
  const last = rows.at(-1)?.seq ?? 0
  const limits = { ...DEFAULT_LIMITS, ...changed }
  const session = new Session<Principal>({
    stored: {
      clientId: 'c',
      principalId: 'ana',
      filters: [],
      last,
      sent: 0,
      metered: 0,
      count: rows.length,
      bytes: 2 * rows.length,
    },
    principal: { id: 'ana' },
    store,
    limits,
    counts: newCounts(new Bounds(limits, log)),
    room: new StoredRoom(Infinity, () => []),
    mayReceive: () => true,
  })
  return {
    session,
    store,
    close: () => {
      storage.close()
    },
  }
}
