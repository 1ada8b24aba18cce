import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { SqlitePersistence } from '../../broker/persistence/aedes-persistence.ts'
import { openBrokerStorage } from '../../broker/persistence/open.ts'
import { SqliteMessageStore } from '../../broker/persistence/sqlite-store.ts'

// The suite that every persistence of aedes has to pass, unmodified, each test on a database file of its own. Run by
// `node --test`; the test beside it counts what ran.

// The one that aedes itself brings, so that both are of one version.
const fromAedes = createRequire(import.meta.resolve('aedes'))
const suite = fromAedes('aedes-persistence/abstract.js') as (options: {
  test: typeof test
  testAsync: boolean
  persistence: () => SqlitePersistence
}) => void

suite({ test, testAsync: true, persistence: onFile })

function onFile(): SqlitePersistence {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-suite-'))
  const storage = openBrokerStorage(folder, {
    onDamage: (error) => {
      throw error
    },
  })
  const store = new SqliteMessageStore(storage)
  const close = (): void => {
    storage.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return new SqlitePersistence(store, { sessions: store.load(), givesOutWills: true, close })
}
