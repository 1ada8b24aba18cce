import { setImmediate } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { decodeRecord } from '../../../cloud-sync/codec/index.ts'
import { ownedReading, StoppedClock, temporaryFolder, testStore } from '../../support/store.ts'

const HOUR = 3_600_000

test('at the end of a day a sensor has taken what its packed readings take, and what is dropped takes nothing', async () => {
  const { folder, remove } = temporaryFolder()
  const clock = new StoppedClock()
  const store = testStore(folder, { clock })
  onTestFinished(async () => {
    await store.stop()
    remove()
  })
  const read = async (): Promise<void> => {
    const takenAt = clock.wallMs
    await store.take(
      Array.from({ length: 50 }, (_, value) => ownedReading(store, { value, takenAt })),
      true,
    )
    store.published(Number.MAX_SAFE_INTEGER)
  }
  const packed = (): number =>
    Number(store.database.prepare('SELECT sum(length(body)) FROM pack').pluck().get() ?? 0)
  const counted = (): bigint[] => {
    const rows = store.database.prepare('SELECT bytes FROM usage_record ORDER BY seq').pluck().all()
    return (rows as Uint8Array[])
      .flatMap((bytes) => decodeRecord(bytes).registers)
      .flatMap(({ meter, end }) => (meter === 'storage.max' ? [end] : []))
  }
  /** Everything of past hours; each look goes on by itself while there is more. */
  const pack = async (): Promise<number> => {
    clock.pass(HOUR)
    for (let look = 0; look < 3; look += 1) {
      store.upkeep()
      await store.writer.commitSoon()
      await setImmediate()
    }
    return packed()
  }
  await read()
  const first = await pack()
  expect(first).toBeGreaterThan(0)
  clock.pass(12 * HOUR)
  await read()
  expect(counted()).toEqual([BigInt(first)])
  const second = await pack()
  expect(second).toBeGreaterThan(first)
  clock.pass(24 * HOUR)
  await read()
  expect(counted()).toEqual([BigInt(first), BigInt(first + second)])
  store.database.prepare('DELETE FROM pack').run()
  expect(store.database.prepare('SELECT sum(bytes) FROM stored_bytes').pluck().get()).toBe(0)
})
