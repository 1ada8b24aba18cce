import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Writer } from '../../../agent/storage/writer.ts'

let database: Database.Database
let writer: Writer
let damages: unknown[]
let refusals: unknown[]

beforeEach(() => {
  database = new Database(':memory:')
  database.exec('CREATE TABLE t (a INTEGER PRIMARY KEY)')
  damages = []
  refusals = []
  writer = new Writer({
    database,
    windowMs: 10,
    onDamage: (error) => void damages.push(error),
    onRefused: (error) => void refusals.push(error),
  })
})
afterEach(() => {
  writer.stop()
  database.close()
})

const insert = (a: number) => (db: Database.Database) => {
  db.prepare('INSERT INTO t VALUES (?)').run(a)
}
const rows = (): unknown[] => database.prepare('SELECT a FROM t').pluck().all()

test('everything of a window is one commit', async () => {
  const done = [1, 2, 3].map((a) => writer.submit(insert(a)))
  expect(rows()).toEqual([])
  await Promise.all(done)
  expect(rows()).toEqual([1, 2, 3])
  expect(writer.commits).toBe(1)
})

test('who waits for durability does not wait for the window, and takes the others along', async () => {
  const slow = new Writer({
    database,
    windowMs: 60_000,
    onDamage: () => undefined,
    onRefused: () => undefined,
  })
  const patient = slow.submit(insert(1))
  await slow.commitSoon()
  await patient
  expect(rows()).toEqual([1])
  expect(slow.commits).toBe(1)
  slow.stop()
})

test('a work that fails is rolled back alone; its window is committed', async () => {
  const good = writer.submit(insert(1))
  const bad = writer.submit((db) => {
    insert(2)(db)
    throw new Error('no')
  })
  const twice = writer.submit(insert(1))
  await expect(bad).rejects.toThrow('no')
  await expect(twice).rejects.toThrow('UNIQUE')
  await good
  expect(rows()).toEqual([1])
})

test('a commit that finds no room changes nothing in memory, keeps everything and is tried again', async () => {
  const memory: string[] = []
  writer.join({ name: 'test', write: () => () => void memory.push('committed') })
  database.pragma('max_page_count = 2')
  const big = writer.submit((db) => {
    db.exec('CREATE TABLE b (x)')
    db.prepare('INSERT INTO b VALUES (zeroblob(20000))').run()
  })
  const small = writer.submit(insert(7))
  await expect.poll(() => refusals.length, { timeout: 60_000 }).toBeGreaterThan(0)
  expect(rows()).toEqual([])
  expect(memory).toEqual([])
  expect(writer.refused).toBe(true)
  database.pragma('max_page_count = 1000')
  await Promise.all([big, small])
  expect(rows()).toEqual([7])
  expect(memory).toEqual(['committed'])
  expect(writer.refused).toBe(false)
})

test('too many waiting works are refused, not kept without bound', async () => {
  const slow = new Writer({
    database,
    windowMs: 60_000,
    onDamage: () => undefined,
    onRefused: () => undefined,
  })
  const waiting = Array.from({ length: 20_000 }, () => slow.submit(() => undefined))
  await expect(slow.submit(() => undefined)).rejects.toMatchObject({ code: 'STORE_FULL' })
  slow.stop()
  await Promise.all(waiting)
})

test('a participant with a fault ends the writer: nothing is accepted after it', async () => {
  writer.join({
    name: 'test',
    write: () => {
      throw new TypeError('fault')
    },
  })
  await expect(writer.submit(insert(1))).rejects.toMatchObject({ code: 'STORE_FAILED' })
  await expect(writer.submit(insert(2))).rejects.toMatchObject({ code: 'STORE_FAILED' })
  expect(rows()).toEqual([])
  expect(damages).toHaveLength(1)
})
