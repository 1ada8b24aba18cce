import { cpSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import type { Store } from '../../../agent/storage/index.ts'
import { decodeRecord } from '../../../cloud-sync/codec/index.ts'
import { type Epoch, type Hash, USAGE_QUALITY, type UsageRecord } from '../../../cloud-sync/contract/index.ts'
import { postedFrom } from '../../support/metered-ledger.ts'
import { ownedReading, StoppedClock, temporaryFolder, testStore } from '../../support/store.ts'

const HOUR = 3_600_000

class Site {
  readonly clock: StoppedClock
  readonly store: Store

  constructor(folder: string, { epoch, monoMs }: { epoch: string; monoMs: number }) {
    this.clock = new StoppedClock()
    this.clock.pass(monoMs)
    this.store = testStore(folder, { clock: this.clock, newEpoch: () => epoch.repeat(32) as Epoch })
  }

  async read(count: number): Promise<void> {
    this.clock.pass(HOUR / 2)
    await this.store.take(
      Array.from({ length: count }, () => ownedReading(this.store)),
      true,
    )
  }

  async closeInterval(): Promise<void> {
    this.store.parts.ledger.closeAtNextCommit()
    await this.store.writer.commitSoon()
  }

  records(epoch: string): { record: UsageRecord; hash: Hash }[] {
    const rows = this.store.database
      .prepare('SELECT bytes, hash FROM usage_record WHERE epoch = ? ORDER BY seq')
      .all(epoch.repeat(32)) as { bytes: Uint8Array; hash: Hash }[]
    return rows.map(({ bytes, hash }) => ({ record: decodeRecord(bytes), hash }))
  }

  async hear(epoch: string, upTo: number, hash: Hash): Promise<void> {
    const ack = { epoch: epoch.repeat(32) as Epoch, upTo, hash, status: 'ok', serverTime: 1 } as const
    await this.store.outbox.acknowledge('usage', ack)
  }
}

const readings = (records: readonly { record: UsageRecord }[]): bigint =>
  postedFrom(records.map(({ record }) => record))
    .filter(({ meter }) => meter === 'sensor.readings')
    .reduce((sum, { by }) => sum + by, 0n)

const cases = [
  ['further than the image ever was', 2],
  ['just as far, with another record', 1],
] as const
test.for(cases)(
  'I18 an image of a ledger that is %s opens a new epoch and bills nothing twice',
  async ([, more]) => {
    const { folder, remove } = temporaryFolder()
    const { folder: image, remove: removeImage } = temporaryFolder()
    const first = new Site(folder, { epoch: 'a', monoMs: 0 })
    const opened = [first]
    onTestFinished(async () => {
      for (const site of opened) await site.store.stop()
      remove()
      removeImage()
    })
    // One record is confirmed, one is not, and an interval is open: so the image is taken.
    await first.read(10)
    await first.closeInterval()
    const [confirmed] = first.records('a')
    await first.hear('a', 1, confirmed?.hash ?? ('' as Hash))
    await first.read(20)
    await first.closeInterval()
    await first.read(30)
    cpSync(folder, image, { recursive: true, filter: (source) => !source.endsWith('lock') })
    // The true gateway goes on, and the ledger gets all of it.
    for (let times = 0; times < more; times += 1) {
      await first.read(40)
      await first.closeInterval()
    }
    const posted = first.records('a')
    expect(readings(posted)).toBe(BigInt(60 + more * 40))

    const second = new Site(image, { epoch: 'b', monoMs: 10 * HOUR })
    opened.push(second)
    await second.read(50)
    await second.closeInterval()
    const last = posted.at(-1)
    await second.hear('a', posted.length, last?.hash ?? ('' as Hash))
    await second.read(5)
    await second.closeInterval()
    const again = second.records('b')
    expect(again.map(({ record }) => record.seq)).toEqual(again.map((_, index) => index + 1))
    expect(second.store.outbox.streams().usage?.parent).toBe('a'.repeat(32))
    // What the image had counted is in the ledger; what was read since is told once.
    expect(readings(posted) + readings(again)).toBe(BigInt(60 + more * 40 + 55))
    const replayed = again
      .flatMap(({ record }) => record.registers)
      .filter(({ q }) => q & (1 << USAGE_QUALITY.REPLAY))
    // All in the one generation of this epoch, which no other copy of the image can have.
    expect(new Set(replayed.map(({ gen }) => gen))).toEqual(new Set([1 + 0xbbbbbbb]))
  },
)
