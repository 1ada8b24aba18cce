import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, onTestFinished, test, type TestAPI } from 'vitest'
import type { DatabaseTarget } from '../../cloud-sync/cloud/storage/index.ts'
import { LEDGER_TABLES } from '../../cloud-sync/cloud/storage/ledger/tables.ts'
import type { FakeGateway } from './fake-gateway.ts'
import { havePeer } from './peers.ts'
import { type PostgresCluster, startPostgres } from './postgres.ts'
import { openTestLedger, type TestLedger } from './test-ledger.ts'

export interface LedgerEngine {
  readonly dialect: 'sqlite' | 'postgres'
  /** A test that is skipped where the engine is not here. */
  readonly test: TestAPI
  /** Another empty database. */
  readonly target: () => DatabaseTarget
  /** The ingest on an empty ledger, of which there may be several at once. */
  readonly ledger: (...gateways: FakeGateway[]) => Promise<TestLedger>
}

/** The same suite over both engines. */
export function onLedgerEngines(suite: (engine: LedgerEngine) => void): void {
  describe('SQLite', () => {
    let folder = ''
    let made = 0
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'headgate-ledger-'))
    })
    afterAll(() => {
      rmSync(folder, { recursive: true, force: true })
    })
    const target = (): DatabaseTarget => ({ dialect: 'sqlite', path: join(folder, `l${(made += 1)}.db`) })
    suite({ dialect: 'sqlite', test, target, ledger: (...gateways) => openTestLedger(target(), gateways) })
  })
  const postgres = havePeer('postgresql')
  describe(postgres ? 'PostgreSQL' : 'PostgreSQL [needs postgresql: run test/peers/install as root]', () => {
    let cluster: PostgresCluster | undefined
    beforeAll(async () => {
      if (postgres) cluster = await startPostgres()
    }, 60_000)
    afterAll(async () => {
      await cluster?.stop()
    }, 30_000)
    let made = 0
    const named = (): { name: string; target: DatabaseTarget } => {
      const name = `l${(made += 1)}`
      return { name, target: { dialect: 'postgres', url: cluster?.database(name) ?? '' } }
    }
    // Making all tables anew takes long, taking all rows out does not.
    const free: ReturnType<typeof named>[] = []
    const ledger = async (...gateways: FakeGateway[]): Promise<TestLedger> => {
      const used = free.pop()
      if (used !== undefined) await cluster?.empty(used.name, Object.keys(LEDGER_TABLES))
      const place = used ?? named()
      const opened = await openTestLedger(place.target, gateways)
      const close = async (): Promise<void> => {
        await opened.close()
        if (!free.includes(place)) free.push(place)
      }
      onTestFinished(close)
      return { ...opened, close }
    }
    const say = (postgres ? test : test.skip) as TestAPI
    suite({ dialect: 'postgres', test: say, target: () => named().target, ledger })
  })
}
