import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { openKeys } from '../../../cloud-sync/cloud/keys/index.ts'
import { openLedger } from '../../../cloud-sync/cloud/storage/index.ts'
import { openKeyset, sha256 } from '../../../cloud-sync/codec/index.ts'
import { rmSync, writeFileSync } from 'node:fs'
import { temporaryFolder } from '../../support/temporary-folder.ts'

test('a new database is for the owner only, in WAL, and can be opened again', async () => {
  const path = join(temporaryFolder(), 'cloud.db')
  for (let round = 0; round < 2; round += 1) {
    const db = await openLedger({ dialect: 'sqlite', path })
    expect(await sql`select * from ledger_version`.execute(db.read)).toMatchObject({ rows: [{ version: 3 }] })
    await db.close()
  }
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test('a database of a newer version is refused and not written to', async () => {
  const path = join(temporaryFolder(), 'cloud.db')
  await (await openLedger({ dialect: 'sqlite', path })).close()
  const newer = new BetterSqlite(path)
  newer.exec('update ledger_version set version = 99')
  newer.pragma('wal_checkpoint(truncate)')
  newer.close()
  const before = sha256(readFileSync(path))
  await expect(openLedger({ dialect: 'sqlite', path })).rejects.toMatchObject({
    code: 'CLOUD_DATABASE_NEWER',
  })
  expect(sha256(readFileSync(path))).toBe(before)
})

test.for(['usage_record', 'usage_posting', 'reading_batch', 'event_batch'] as const)(
  'nothing in %s can be changed or deleted',
  async (table) => {
    const path = join(temporaryFolder(), 'cloud.db')
    await (await openLedger({ dialect: 'sqlite', path })).close()
    const db = new BetterSqlite(path)
    const columns = db.pragma(`table_info(${table})`) as { name: string; type: string; pk: number }[]
    const values = columns.map(({ type }) =>
      type === 'TEXT' || type === 'text' ? "'x'" : type === 'blob' ? "x'00'" : '1',
    )
    db.exec(`insert into ${table} values (${values.join(', ')})`)
    expect(() => db.exec(`update ${table} set ${columns[0]?.name ?? ''} = '2'`)).toThrow('append-only')
    expect(() => db.exec(`delete from ${table}`)).toThrow('append-only')
    db.close()
  },
)

test('keys are made once, and the root key may be taken away afterwards', () => {
  const folder = temporaryFolder()
  const made = openKeys(folder)
  rmSync(join(folder, 'keys', 'root.key'))
  const again = openKeys(folder)
  expect(again.rootPublicKey).toBe(made.rootPublicKey)
  expect(again.keyset).toEqual(made.keyset)
  expect(openKeyset(again.rootPublicKey, again.keyset)).toEqual({
    v: 2,
    generation: 1,
    version: 1,
    keys: [again.signing.publicKey],
  })
})

test.for(['signing-1.key', 'root.pub', 'keyset-1.bin'])(
  'a damaged %s stops the cloud before it signs anything',
  (name) => {
    const folder = temporaryFolder()
    openKeys(folder)
    writeFileSync(join(folder, 'keys', name), 'nonsense')
    expect(() => openKeys(folder)).toThrow(expect.objectContaining({ code: 'CLOUD_KEYS_DAMAGED' }))
  },
)
