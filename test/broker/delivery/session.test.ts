import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Outbound, Outgoing } from '../../../broker/delivery/outgoing.ts'
import { Session } from '../../../broker/delivery/session.ts'
import { Bounds } from '../../../broker/bounds.ts'
import { newCounts } from '../../../broker/exchange/counts.ts'
import { openBrokerStorage } from '../../../broker/index.ts'
import { DEFAULT_LIMITS } from '../../../broker/limits.ts'
import { SqliteMessageStore } from '../../../broker/persistence/index.ts'

const quiet = (): void => undefined
const log = { info: quiet, warn: quiet, error: quiet }

test('[MQTT-2.3.1-4] a message whose id is still in use waits until the one that has it is acknowledged', async () => {
  const storage = openBrokerStorage(':memory:', { onDamage: () => undefined })
  const store = new SqliteMessageStore(storage)
  store.load()
  store.openSession('c', 'ana')
  const rows = [1, 2, 65_536, 65_537]
  for (const seq of rows) {
    const message = { topic: 't', payload: Buffer.from(String(seq)), qos: 1, retain: false } as const
    store.enqueue(message, [{ clientId: 'c', seq, qos: 1 }])
  }
  await store.committed()
  const stored = {
    clientId: 'c',
    principalId: 'ana',
    filters: [],
    last: 65_537,
    sent: 0,
    metered: 0,
    count: 4,
    bytes: 20,
  }
  const session = new Session({
    stored,
    principal: { id: 'ana' },
    store,
    limits: DEFAULT_LIMITS,
    counts: newCounts(new Bounds(DEFAULT_LIMITS, log)),
    mayReceive: () => true,
  })
  const sent: string[] = []
  // What a session asks of the way out; the real one needs a socket.
  const outgoing = {
    hasRoom: true,
    publish: ({ payload, messageId }: Outbound) => void sent.push(`${payload.toString()} as ${messageId}`),
  } as unknown as Outgoing
  session.attach(outgoing)
  await sleep(50)
  expect(sent).toEqual(['1 as 1', '2 as 2'])
  session.acknowledged('puback', 2)
  expect(sent).toHaveLength(2)
  session.acknowledged('puback', 1)
  expect(sent.slice(2)).toEqual(['65536 as 1', '65537 as 2'])
  storage.close()
})
