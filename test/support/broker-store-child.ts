import { openBrokerStorage } from '../../broker/persistence/open.ts'
import { SqliteMessageStore } from '../../broker/persistence/sqlite-store.ts'

/**
 * node broker-store-child.ts FOLDER FROM WHERE COMMIT: a process that stores messages numbered from FROM, ten a commit, as a
 * broker does, and says `stored N` once a commit holds all up to N. In commit number COMMIT it kills itself: `within` the
 * transaction, or `after` it, before anybody is told.
 */
const [folder = '', from = '1', where = '', commit = '1'] = process.argv.slice(2)
const die = (): void => {
  process.kill(process.pid, 'SIGKILL')
}
const storage = openBrokerStorage(folder, {
  onDamage: (error) => {
    throw error
  },
})
const store = new SqliteMessageStore(storage)
let last = Math.max(0, ...store.load().map((session) => session.last))
let commits = 0
storage.writer.join({
  name: 'death',
  write: () => {
    commits += 1
    if (commits < Number(commit)) return undefined
    if (where === 'within') die()
    return die
  },
})
store.openSession('reader', 'owner')
for (let number = Number(from); ; ) {
  for (const end = number + 10; number < end; number += 1) {
    last += 1
    const message = { topic: 'site/a', payload: Buffer.from(String(number)), qos: 1, retain: false } as const
    store.journal({ ...message, clientId: 'meter', principalId: 'owner', messageId: (number % 65_535) + 1 })
    store.enqueue(message, [{ clientId: 'reader', seq: last, qos: 1 }])
    store.retain({ ...message, retain: true })
  }
  await store.committed()
  process.stdout.write(`stored ${number - 1}\n`)
}
