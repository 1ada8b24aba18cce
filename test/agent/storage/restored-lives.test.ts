import { cpSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import type { Store } from '../../../agent/storage/index.ts'
import { verifyGateway } from '../../../cloud-sync/cloud/ledger/index.ts'
import { postedTotals, usageDays } from '../../../cloud-sync/cloud/storage/index.ts'
import { sha256 } from '../../../cloud-sync/codec/index.ts'
import type { Epoch } from '../../../cloud-sync/contract/index.ts'
import { verified } from '../../support/evidence-file.ts'
import { peersVerdict } from '../../support/evidence-peer.ts'
import { type FakeGateway, fakeGateway } from '../../support/fake-gateway.ts'
import { havePeer } from '../../support/peers.ts'
import { ACME, GATEWAY, ownedReading, StoppedClock, testStore } from '../../support/store.ts'
import { killStore, uploadUsage } from '../../support/stored-link.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { CLOUD_ID, CLOUD_ROOT, type TestLedger, testLedger } from '../../support/test-ledger.ts'

vi.setConfig({ testTimeout: 120_000 })

const HOUR = 3_600_000

type Step = 'read' | 'close' | 'stop' | 'kill' | 'boot' | 'upload' | 'lose time' | 'find time'

/** A gateway over its restarts. */
class Life {
  readonly #folder: string
  readonly #gateway: FakeGateway
  readonly #ledger: TestLedger
  readonly clock: StoppedClock
  #epochs = 0
  store: Store
  /** Readings that were committed. */
  counted = 0

  constructor(
    folder: string,
    clock: StoppedClock,
    { gateway, ledger }: { gateway: FakeGateway; ledger: TestLedger },
  ) {
    this.#folder = folder
    this.#gateway = gateway
    this.#ledger = ledger
    this.clock = clock
    this.store = this.#open()
  }

  #open(): Store {
    // One for every start: an epoch is 128 random bits.
    this.#epochs += 1
    const newEpoch = (): Epoch =>
      sha256(Buffer.from(`${this.#folder} ${(this.#epochs += 1)}`)).slice(0, 32) as Epoch
    const store = testStore(this.#folder, { clock: this.clock, newEpoch, onDamage: () => undefined })
    // No power fails here.
    store.database.pragma('synchronous = off')
    return store
  }

  async play(steps: readonly Step[]): Promise<void> {
    for (const step of steps) await this.#does[step]()
  }

  readonly #does: Record<Step, () => Promise<void>> = {
    read: async () => {
      this.clock.pass(HOUR / 8)
      await this.store.take([ownedReading(this.store), ownedReading(this.store)], true)
      this.counted += 2
    },
    close: async () => {
      this.store.parts.ledger.closeAtNextCommit()
      await this.store.writer.commitSoon()
    },
    stop: async () => {
      await this.store.stop()
      this.store = this.#open()
    },
    kill: () => {
      killStore(this.store)
      this.store = this.#open()
      return Promise.resolve()
    },
    boot: () => {
      killStore(this.store)
      this.clock.bootId = `${this.clock.bootId}+`
      this.store = this.#open()
      return Promise.resolve()
    },
    upload: () => uploadUsage(this.store, this.#ledger, this.#gateway),
    'lose time': () => {
      this.clock.clock = 'unsynced'
      return Promise.resolve()
    },
    'find time': () => {
      this.clock.clock = 'synced'
      return Promise.resolve()
    },
  }

  /** The folder as it is, to be started elsewhere. */
  image(to: string): void {
    cpSync(this.#folder, to, { recursive: true, filter: (source) => !source.endsWith('lock') })
  }

  async end(): Promise<void> {
    await this.store.stop()
  }
}

/** The whole story; answers what was counted once, and what the ledger has of it. */
async function restored(story: {
  readonly before: readonly Step[]
  readonly after: readonly Step[]
  readonly again: readonly Step[]
  readonly sameBoot: boolean
}): Promise<{ counted: number; billed: number; days: string[]; file: Buffer }> {
  const gateway = fakeGateway(GATEWAY, CLOUD_ID)
  const ledger = await testLedger(gateway)
  const folder = temporaryFolder()
  const clock = new StoppedClock()
  const first = new Life(join(folder, 'first'), clock, { gateway, ledger })
  await first.play(story.before)
  first.image(join(folder, 'second'))
  // The true gateway went on for a while, and the ledger has all of it.
  await first.play([...story.after, 'read', 'close', 'upload'])
  await first.end()
  // Another machine on another day, or the same one at once, as a container whose volume is put back.
  if (!story.sameBoot) Object.assign(clock, { bootId: 'another', wallMs: clock.wallMs + 24 * HOUR })
  const second = new Life(join(folder, 'second'), clock, { gateway, ledger })
  await second.play([...story.again, 'upload', 'read', 'stop', 'upload'])
  await second.end()
  const posted = await postedTotals(ledger.db.read, GATEWAY)
  const readings = posted.filter(({ meter }) => meter === 'sensor.readings')
  const billed = Number(readings.reduce((sum, { quantity }) => sum + quantity, 0n))
  const used = await usageDays(ledger.db.read, { org: ACME, meters: ['sensor.readings'] })
  const days = used.map(({ day, quantity }) => `${day ?? 'none'} ${quantity}`)
  const file = await expectProved(ledger)
  await ledger.close()
  return { counted: first.counted + second.counted, billed, days, file }
}

/** What the ledger says of itself, and what an auditor makes of what it exports. */
async function expectProved(ledger: TestLedger): Promise<Buffer> {
  expect(await verifyGateway(ledger.db.read, GATEWAY)).toMatchObject({ ok: true, faults: [] })
  const file = await ledger.evidence()
  expect(await verified(file, { trust: CLOUD_ROOT })).toMatchObject({ ok: true, fault: null })
  return file
}

const aStep = fc.constantFrom<Step>('read', 'read', 'read', 'close', 'stop', 'kill', 'boot')
const aTrueStep = fc.constantFrom<Step>('read', 'read', 'close', 'stop', 'kill', 'boot', 'upload')

test('an image of a time without trusted time is told of its past, and gives nothing a second day', async () => {
  const { counted, billed, days, file } = await restored({
    before: ['lose time', 'read', 'close', 'read'],
    after: ['find time', 'read', 'close'],
    again: ['lose time', 'read', 'find time'],
    sameBoot: false,
  })
  expect(billed).toBe(counted)
  expect(days).toEqual(['2026-11-21 8', '2026-11-22 4'])
  if (havePeer('python-cryptography'))
    expect(peersVerdict(file, CLOUD_ROOT)).toMatchObject({ ok: true, what: null })
})

test('I18 an image that is started several times before it is heard loses nothing of that, and bills nothing twice', async () => {
  const read = ['read', 'close'] as const
  const stories: [Step[], Step[]][] = [
    // The image is of a gateway that stood still, or that was killed with an interval open, online or long offline.
    [
      ['read', 'close', 'upload'],
      ['kill', ...read, 'kill', 'read', 'kill', 'read'],
    ],
    [
      ['read', 'close', 'upload', 'read', 'kill', 'read', 'stop', 'read'],
      ['read', 'boot', 'read', 'stop'],
    ],
    [
      ['read', 'stop', 'stop'],
      ['read', 'kill', 'read', 'kill', 'kill'],
    ],
  ]
  // So much further that every number of the image is another record of the ledger's.
  const after = [...read, ...read, ...read, ...read, ...read]
  for (const [before, again] of stories) {
    for (const sameBoot of [false, true]) {
      const { counted, billed } = await restored({ before, after, again, sameBoot })
      expect({ before, again, sameBoot, billed }).toEqual({ before, again, sameBoot, billed: counted })
    }
  }
})

test('I18 whatever an image was and whatever became of it, what was counted is billed once', async () => {
  const story = fc.record({
    before: fc.array(aTrueStep, { maxLength: 8 }).map((steps): Step[] => ['read', ...steps]),
    after: fc.array(aTrueStep, { maxLength: 4 }),
    again: fc.array(aStep, { maxLength: 8 }),
    sameBoot: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(story, async (told) => {
      const { counted, billed } = await restored(told)
      expect(billed).toBe(counted)
    }),
    { numRuns: 6 },
  )
})
