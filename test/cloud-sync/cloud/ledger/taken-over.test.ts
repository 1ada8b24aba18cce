import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import { expect, test } from 'vitest'
import { dayFacts } from '../../../../cloud-sync/cloud/storage/index.ts'
import { verifyGateway } from '../../../../cloud-sync/cloud/ledger/index.ts'
import type { OrgId, SealedRecord } from '../../../../cloud-sync/contract/index.ts'
import { epochOf, fakeGateway, usageBody, usageChain } from '../../../support/fake-gateway.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'
import { CLOUD_ID, openTestLedger } from '../../../support/test-ledger.ts'

const EPOCH = epochOf('1')

/** A cloud.db as the program before made it, with two records in it. */
function before(path: string, records: readonly SealedRecord[]): void {
  const db = new BetterSqlite(path)
  db.exec(readFileSync(join(import.meta.dirname, '../../../support/ledger-before.sql'), 'utf8'))
  db.exec('insert into schema_version values (1, 5)')
  const head = records.at(-1)
  db.prepare("insert into stream values (?, 'usage', ?, null, ?, ?, 'open', 5)").run(
    head?.record.gw,
    EPOCH,
    records.length,
    head?.hash,
  )
  for (const { record, bytes, hash } of records) {
    const { gw, epoch, seq, prev, org, kind, time } = record
    db.prepare('insert into usage_record values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').run(
      ...[gw, epoch, seq, prev, hash, org, kind, time.day, time.wallEnd, bytes, Date.UTC(2026, 9, 31)],
    )
    const posting = 'insert into usage_posting values (?, ?, ?, ?, ?, ?, ?, 0, 7, null, null, 1, 0)'
    const [register] = record.registers
    db.prepare(posting).run(gw, epoch, seq, org, time.day, register?.meter, register?.subject)
    const stand = 'insert or replace into usage_register values (?, ?, ?, ?, 0, ?, ?, ?)'
    db.prepare(stand).run(gw, epoch, register?.meter, register?.subject, org, register?.end, seq)
  }
  db.exec(
    `insert into reading_channel values (7, 'GW-1', '${EPOCH}', 'rd', 1, 'd', 's', 'c', 'mm', null, 0, 'acme', 1)`,
  )
  db.close()
}

test('a cloud.db of the version before keeps what it has, and goes on', async () => {
  const path = join(temporaryFolder(), 'cloud.db')
  const gateway = fakeGateway('GW-1', CLOUD_ID)
  const records = usageChain({ gateway: gateway.id, epoch: EPOCH, count: 3 })
  before(path, records.slice(0, 2))
  const ledger = await openTestLedger({ dialect: 'sqlite', path }, [gateway])
  // Before, the signed messages were not kept; that is all there is to find.
  expect(await verifyGateway(ledger.db.read, gateway.id)).toMatchObject({
    records: 2,
    faults: [{ stream: 'usage', epoch: EPOCH, seq: 1, because: 'message' }],
  })
  expect(await ledger.deliver(gateway, 'usage', usageBody(records))).toMatchObject({ status: 'ok', upTo: 3 })
  expect(await dayFacts(ledger.db.read, { org: 'acme' as OrgId })).toMatchObject([{ quantity: 21n }])
  expect(
    await ledger.db.read.selectFrom('usage_record').select(['seq', 'month']).orderBy('seq').execute(),
  ).toEqual([
    { seq: 1, month: 202_610 },
    { seq: 2, month: 202_610 },
    { seq: 3, month: 197_001 },
  ])
  expect(await ledger.db.read.selectFrom('reading_channel').select('id').execute()).toEqual([{ id: 7 }])
  const change = ledger.db.write.updateTable('usage_posting').set({ q: 1 })
  await expect(change.execute()).rejects.toThrow('append-only')
  await ledger.close()
  // The program before finds a version it does not know.
  const db = new BetterSqlite(path, { readonly: true })
  expect(db.prepare('select max(version) from schema_version').pluck().get()).toBe(2)
  db.close()
})
