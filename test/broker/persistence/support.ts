import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { JournalEntry, StoredMessage, StoredSession } from '../../../broker/persistence/message-store.ts'
import { type OpenedBrokerStorage, openBrokerStorage } from '../../../broker/persistence/open.ts'
import { type MessageStoreOptions, SqliteMessageStore } from '../../../broker/persistence/sqlite-store.ts'

/** A temporary folder that goes with the test. */
export function storeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-broker-'))
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

export interface OpenStore {
  readonly store: SqliteMessageStore
  readonly storage: OpenedBrokerStorage
  readonly sessions: StoredSession[]
  /** Everything that was told of the file. */
  readonly told: unknown[]
}

/** An open, loaded store that closes with the test. */
export function openStore(folder: string, options: MessageStoreOptions = {}): OpenStore {
  const told: unknown[] = []
  const tell = (error: unknown): void => void told.push(error)
  const storage = openBrokerStorage(folder, { onDamage: tell, onRefused: tell })
  onTestFinished(() => {
    storage.close()
  })
  const store = new SqliteMessageStore(storage, options)
  const sessions = store.load()
  return { store, storage, sessions, told }
}

export const message = (topic: string, payload = 'x', more: Partial<StoredMessage> = {}): StoredMessage => ({
  topic,
  payload: Buffer.from(payload),
  qos: 1,
  retain: false,
  ...more,
})

export const entry = (clientId: string, messageId: number, topic: string, payload = 'x'): JournalEntry => ({
  ...message(topic, payload),
  clientId,
  messageId,
  principalId: `${clientId}'s owner`,
})

/** All that `retained` answers. */
export async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}
