import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { markSuspect, openDatabase } from '../../../agent/storage/database.ts'
import { MIGRATIONS, migrate, schemaVersion } from '../../../agent/storage/schema.ts'
import { temporaryFolder } from '../../support/store.ts'

let place: ReturnType<typeof temporaryFolder>
beforeEach(() => {
  place = temporaryFolder()
})
afterEach(() => {
  place.remove()
})

const open = (): ReturnType<typeof openDatabase> => openDatabase(place.folder)
const path = (name: string): string => join(place.folder, name)
function close(opened: ReturnType<typeof openDatabase>): void {
  opened.connection.close()
  opened.lock.release()
}

test('a commit is synchronous=FULL, also when asked after writes, in pages of 4096 and without -shm', () => {
  const opened = open()
  opened.connection.exec(`INSERT INTO meta VALUES ('a', 1)`)
  expect(opened.connection.pragma('synchronous', { simple: true })).toBe(2)
  expect(opened.connection.pragma('journal_mode', { simple: true })).toBe('wal')
  expect(opened.connection.pragma('page_size', { simple: true })).toBe(4096)
  expect(readdirSync(place.folder).toSorted()).toEqual(['gateway.db', 'gateway.db-wal', 'lock'])
  close(opened)
})

test('nobody else may read the files', () => {
  const opened = open()
  for (const name of ['gateway.db', 'gateway.db-wal']) expect(statSync(path(name)).mode & 0o777).toBe(0o600)
  close(opened)
})

test('a second gateway on the same folder is refused, and admitted once the first has gone', () => {
  const opened = open()
  expect(open).toThrow(expect.objectContaining({ code: 'STORE_LOCKED' }))
  close(opened)
  close(open())
})

test('a newer database is refused and not one byte of the folder changes', () => {
  close(open())
  const newer = new Database(path('gateway.db'))
  newer.pragma(`user_version = ${MIGRATIONS.length + 1}`)
  newer.close()
  const before = readFileSync(path('gateway.db'))
  const names = readdirSync(place.folder)
  expect(open).toThrow(expect.objectContaining({ code: 'STORE_NEWER' }))
  expect(readFileSync(path('gateway.db')).equals(before)).toBe(true)
  expect(readdirSync(place.folder)).toEqual(names)
})

test('a migration that fails half-way leaves the old schema whole, and is done again at the next start', () => {
  const database = new Database(path('other.db'))
  migrate(database, [(db) => db.exec('CREATE TABLE one (a)')])
  const steps = [
    () => undefined,
    (db: Database.Database) => db.exec('CREATE TABLE two (a)'),
    () => {
      throw new Error('cut')
    },
  ]
  expect(() => {
    migrate(database, steps)
  }).toThrow('cut')
  expect(schemaVersion(database)).toBe(1)
  expect(database.prepare(`SELECT name FROM sqlite_master`).pluck().all()).toEqual(['one'])
  migrate(database, [...steps.slice(0, 2), (db) => db.exec('CREATE TABLE three (a)')])
  expect(schemaVersion(database)).toBe(3)
  database.close()
})

test('a file that is no database is renamed, kept byte for byte, and a new one begun', () => {
  const garbage = Buffer.alloc(50_000, 'not a database ')
  writeFileSync(path('gateway.db'), garbage)
  const opened = open()
  expect(opened.damaged).toBe('damaged-1.db')
  expect(readFileSync(path('damaged-1.db')).equals(garbage)).toBe(true)
  expect(schemaVersion(opened.connection)).toBe(MIGRATIONS.length)
  close(opened)
})

test('after an I/O error the whole file is checked: a whole one is kept, a damaged one renamed', () => {
  const first = open()
  first.connection.exec(
    `CREATE TABLE big (a); INSERT INTO big SELECT randomblob(3000) FROM (VALUES (1),(2),(3),(4),(5),(6))`,
  )
  close(first)
  markSuspect(place.folder, 'SQLITE_IOERR')
  const second = open()
  expect(second.damaged).toBeNull()
  close(second)
  expect(readdirSync(place.folder)).not.toContain('suspect')

  copyFileSync(path('gateway.db'), path('whole.db'))
  const bytes = readFileSync(path('gateway.db'))
  // The last pages are those of `big`: nothing the start reads, only the check finds it.
  bytes.fill(0xff, bytes.length - 8192)
  writeFileSync(path('gateway.db'), bytes)
  markSuspect(place.folder, 'SQLITE_IOERR')
  const third = open()
  expect(third.damaged).toBe('damaged-1.db')
  close(third)
})
