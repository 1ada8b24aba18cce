import { expect } from 'vitest'
import { adopt, resolveFork, verifyGateway } from '../../../../cloud-sync/cloud/ledger/index.ts'
import {
  dayFacts,
  forkedStreams,
  HELD_KEPT_MAX,
  quarantined,
  resolutionsOf,
  waitingEpochs,
} from '../../../../cloud-sync/cloud/storage/index.ts'
import type { Epoch, Hash, OrgId, SealedRecord } from '../../../../cloud-sync/contract/index.ts'
import {
  epochOf,
  eventBody,
  type FakeGateway,
  fakeGateway,
  statusOf,
  usageBody,
  usageChain,
} from '../../../support/fake-gateway.ts'
import { onLedgerEngines } from '../../../support/ledger-engines.ts'
import { CLOUD_ID, type TestLedger } from '../../../support/test-ledger.ts'

const [E1, E2, E3] = [epochOf('1'), epochOf('2'), epochOf('3')]
const ACME = 'acme' as OrgId

const announced = (ledger: TestLedger, gateway: FakeGateway, epoch: Epoch, parent: Epoch | null) =>
  ledger.announce(gateway, statusOf({ usage: { epoch, parent } }))

const deliver = (ledger: TestLedger, gateway: FakeGateway, records: readonly SealedRecord[]) =>
  ledger.deliver(gateway, 'usage', usageBody(records))

async function billed(ledger: TestLedger): Promise<bigint> {
  const facts = await dayFacts(ledger.db.read, { org: ACME })
  return facts.reduce((sum, { quantity }) => sum + quantity, 0n)
}

const headOf = (records: readonly SealedRecord[]): Hash => records.at(-1)?.hash ?? ('' as Hash)

onLedgerEngines(({ test, ledger: open }) => {
  /** Two boxes with one card: three records in common, then each goes its own way under the same epoch. */
  async function cloned() {
    const gateway = fakeGateway('GW-1', CLOUD_ID)
    const ledger = await open(gateway)
    const common = usageChain({ gateway: gateway.id, epoch: E1, count: 3 })
    const after = { gateway: gateway.id, epoch: E1, first: 4, prev: headOf(common), from: 21n }
    const [one, other] = [usageChain({ ...after, count: 3 }), usageChain({ ...after, count: 2, step: 9n })]
    await deliver(ledger, gateway, common)
    await deliver(ledger, gateway, one.slice(0, 2))
    return { gateway, ledger, one, other }
  }

  test('I19 two gateways with one epoch raise a fork alarm, and neither goes on', async () => {
    const { gateway, ledger, one, other } = await cloned()
    expect(await deliver(ledger, gateway, other)).toMatchObject({ status: 'conflict', upTo: 5 })
    expect(ledger.worker.counts.conflicts).toBe(1)
    expect(await forkedStreams(ledger.db.read)).toMatchObject([{ gateway: 'GW-1', epoch: E1, upTo: 5 }])
    expect(await quarantined(ledger.db.read, gateway.id)).toMatchObject([{ reason: 'conflict' }])
    // The one that was first is no more to be believed than the other.
    expect(await deliver(ledger, gateway, one.slice(2))).toMatchObject({ status: 'fork', upTo: 5 })
    // Each opens a new epoch, as a gateway does that is told of a fork: both wait.
    expect(await announced(ledger, gateway, E2, E1)).toMatchObject([{ epoch: E2, status: 'hold' }, {}])
    expect(await announced(ledger, gateway, E3, E1)).toMatchObject([{ epoch: E3, status: 'hold' }, {}])
    expect(await billed(ledger)).toBe(35n)
  })

  test('I19 what was opened before the fork was seen waits too, and goes on when it is resolved', async () => {
    const { gateway, ledger, one } = await cloned()
    const child = usageChain({ gateway: gateway.id, epoch: E2, count: 2, from: 35n })
    await announced(ledger, gateway, E2, E1)
    expect(await deliver(ledger, gateway, child.slice(0, 1))).toMatchObject({ status: 'ok', upTo: 1 })
    // Somebody still counts on under the numbers that were left.
    expect(await deliver(ledger, gateway, one.slice(2))).toMatchObject({ status: 'fork', upTo: 5 })
    expect(await deliver(ledger, gateway, child.slice(1))).toMatchObject({ status: 'hold', upTo: 1 })
    expect(await announced(ledger, gateway, E2, E1)).toMatchObject([{ epoch: E2, status: 'hold' }])
    expect(await billed(ledger)).toBe(42n)
    const word = { gateway: gateway.id, epoch: E1, by: 'olga', reason: 'the other box is scrapped', now: 7 }
    expect(await resolveFork(ledger.db, { ...word, verdict: 'resume' })).toBe('has-child')
    expect(await resolveFork(ledger.db, { ...word, verdict: 'close' })).toBe('resolved')
    expect(await announced(ledger, gateway, E2, E1)).toMatchObject([{ epoch: E2, upTo: 1, status: 'ok' }])
    expect(await deliver(ledger, gateway, child.slice(1))).toMatchObject({ status: 'ok', upTo: 2 })
    // Once resolved it is no alarm any more that the other box goes on: it is refused, and holds nobody up.
    expect(await deliver(ledger, gateway, one.slice(2))).toMatchObject({ status: 'fork' })
    expect(await forkedStreams(ledger.db.read)).toEqual([])
    expect(await billed(ledger)).toBe(49n)
  })

  const verdicts = [
    ['resume', 'ok', 6, [{ epoch: E2, status: 'ok' }, {}]],
    ['close', 'fork', 5, [{ epoch: E2, status: 'ok' }, {}]],
  ] as const
  test.for(verdicts)(
    'after the word %s the forked epoch answers %s, and a child of it opens',
    async ([verdict, status, upTo, answers]) => {
      const { gateway, ledger, one, other } = await cloned()
      await deliver(ledger, gateway, other)
      const word = { gateway: gateway.id, epoch: E1, by: 'olga', reason: 'seen on site', now: 7 }
      expect(await resolveFork(ledger.db, { ...word, epoch: E3, verdict })).toBe('unknown')
      expect(await resolveFork(ledger.db, { ...word, verdict })).toBe('resolved')
      expect(await resolveFork(ledger.db, { ...word, verdict })).toBe('not-forked')
      expect(await deliver(ledger, gateway, one.slice(2))).toMatchObject({ status, upTo })
      expect(await announced(ledger, gateway, E2, E1)).toMatchObject(answers)
      expect(await verifyGateway(ledger.db.read, gateway.id)).toMatchObject({ ok: true })
      expect(await resolutionsOf(ledger.db.read, gateway.id)).toEqual([
        {
          gateway: gateway.id,
          epoch: E1,
          verdict,
          by: 'olga',
          reason: 'seen on site',
          upTo: 5,
          head: headOf(one.slice(0, 2)),
          at: 7,
        },
      ])
      const change = ledger.db.write.updateTable('fork_resolution').set({ reason: 'another' })
      await expect(change.execute()).rejects.toThrow('append-only')
    },
  )

  const theirWord = { stream: 'usage', by: 'olga', reason: 'seen on site', now: 7 } as const

  test('I19 a second child of an epoch is an alarm and listed; adopted, it goes on, and the first holds nothing up', async () => {
    const gateway = fakeGateway('GW-1', CLOUD_ID)
    const ledger = await open(gateway)
    await deliver(ledger, gateway, usageChain({ gateway: gateway.id, epoch: E1, count: 3 }))
    await announced(ledger, gateway, E2, E1)
    const copys = usageChain({ gateway: gateway.id, epoch: E2, count: 2, gen: 5 })
    await deliver(ledger, gateway, copys.slice(0, 1))
    const streams = { usage: { epoch: E3, parent: E1 }, evt: { epoch: E3, parent: null } }
    const announceE3 = () => ledger.announce(gateway, statusOf(streams))
    const { conflicts } = ledger.worker.counts
    expect(await announceE3()).toMatchObject([{ epoch: E3, status: 'hold', upTo: 0 }, { epoch: E2 }, {}])
    // Told again it is no second alarm.
    await announceE3()
    expect(ledger.worker.counts.conflicts).toBe(conflicts + 1)
    const waits = { gateway: gateway.id, stream: 'usage', epoch: E3, parent: E1, because: 'second-child' }
    expect(await waitingEpochs(ledger.db.read)).toMatchObject([waits])
    expect(await billed(ledger)).toBe(28n)

    const word = { ...theirWord, gateway: gateway.id, epoch: E3 }
    expect(await adopt(ledger.db, word)).toMatchObject({ outcome: 'adopted', adopted: [{ epoch: E3 }] })
    expect(await waitingEpochs(ledger.db.read)).toEqual([])
    const true1 = usageChain({ gateway: gateway.id, epoch: E3, count: 2, gen: 9 })
    expect(await deliver(ledger, gateway, true1.slice(0, 1))).toMatchObject({ status: 'ok', upTo: 1 })
    // The copy is still connected and counts on: refused, and no fork in the way of the true one.
    expect(await deliver(ledger, gateway, copys)).toMatchObject({ epoch: E2, status: 'fork' })
    expect(await deliver(ledger, gateway, true1)).toMatchObject({ status: 'ok', upTo: 2 })
    expect([await forkedStreams(ledger.db.read), await billed(ledger)]).toEqual([[], 42n])
    expect(await resolutionsOf(ledger.db.read, gateway.id)).toMatchObject([{ epoch: E3, verdict: 'adopt' }])
    expect(await verifyGateway(ledger.db.read, gateway.id)).toMatchObject({ ok: true })
  })

  test('I19 an epoch adopted past a fork ends the fork, and the other streams of its box go on with it', async () => {
    const { gateway, ledger, other } = await cloned()
    const event = eventBody(gateway.id, E1, 1, ['boot'])
    await ledger.deliver(gateway, 'evt', event)
    await announced(ledger, gateway, E2, E1)
    await deliver(ledger, gateway, other)
    await ledger.announce(gateway, statusOf({ evt: { epoch: E2, parent: E1 } }))
    const box = { usage: { epoch: E3, parent: E1 }, evt: { epoch: E3, parent: E1 } }
    await ledger.announce(gateway, statusOf(box))
    expect(await waitingEpochs(ledger.db.read)).toMatchObject([
      { stream: 'evt', epoch: E3, because: 'second-child', usageEpoch: E3 },
      { stream: 'usage', epoch: E3, because: 'after-fork', usageEpoch: E3 },
    ])
    const word = { ...theirWord, gateway: gateway.id, epoch: E3 }
    expect(await adopt(ledger.db, word)).toEqual({
      outcome: 'adopted',
      adopted: [
        { gateway: gateway.id, stream: 'usage', epoch: E3 },
        { gateway: gateway.id, stream: 'evt', epoch: E3 },
      ],
    })
    const mine = usageChain({ gateway: gateway.id, epoch: E3, count: 1, gen: 9 })
    expect(await deliver(ledger, gateway, mine)).toMatchObject({ status: 'ok', upTo: 1 })
    expect(await ledger.deliver(gateway, 'evt', eventBody(gateway.id, E3, 1, ['boot']))).toMatchObject({
      status: 'ok',
    })
    expect([await waitingEpochs(ledger.db.read), await forkedStreams(ledger.db.read)]).toEqual([[], []])
  })

  test('an epoch that waits may be refused for good, and of ever new ones only so many are kept', async () => {
    const gateway = fakeGateway('GW-1', CLOUD_ID)
    const ledger = await open(gateway)
    await deliver(ledger, gateway, usageChain({ gateway: gateway.id, epoch: E1, count: 1 }))
    const hex = (n: number): Epoch => n.toString(16).padStart(32, '0') as Epoch
    for (let n = 1; n <= HELD_KEPT_MAX + 2; n += 1) await announced(ledger, gateway, hex(n), E3)
    expect(await waitingEpochs(ledger.db.read)).toHaveLength(HELD_KEPT_MAX)
    const word = { ...theirWord, gateway: gateway.id, epoch: hex(1) }
    expect(await resolveFork(ledger.db, { ...word, verdict: 'resume' })).toBe('unknown')
    expect(await resolveFork(ledger.db, { ...word, verdict: 'close' })).toBe('resolved')
    expect(await resolveFork(ledger.db, { ...word, verdict: 'close' })).toBe('unknown')
    expect(await announced(ledger, gateway, hex(1), E3)).toMatchObject([{ status: 'hold' }, {}])
    expect(await waitingEpochs(ledger.db.read)).toHaveLength(HELD_KEPT_MAX - 1)
  })

  test('I18 a gateway set back opens a new epoch with its parent, uses no acknowledged number again, and is billed once', async () => {
    const gateway = fakeGateway('GW-1', CLOUD_ID)
    const ledger = await open(gateway)
    const before = usageChain({ gateway: gateway.id, epoch: E1, count: 5 })
    await deliver(ledger, gateway, before)
    // The image knows three records, 21 readings; the ledger tells it of five.
    expect(await announced(ledger, gateway, E1, null)).toMatchObject([{ epoch: E1, upTo: 5, status: 'ok' }])
    expect(await announced(ledger, gateway, E2, E1)).toMatchObject([
      { epoch: E2, upTo: 0, status: 'ok' },
      { epoch: E1, upTo: 5 },
    ])
    // It restates its registers at the acknowledged end before it counts on: 35, then 42 and 49.
    const restated = usageChain({ gateway: gateway.id, epoch: E2, count: 3, from: 28n })
    expect(await deliver(ledger, gateway, restated)).toMatchObject({ epoch: E2, upTo: 3, status: 'ok' })
    expect(await billed(ledger)).toBe(49n)
    // The old numbers with other content are nobody's any more.
    const again = usageChain({
      gateway: gateway.id,
      epoch: E1,
      first: 4,
      count: 2,
      prev: headOf(before.slice(0, 3)),
      from: 21n,
      step: 8n,
    })
    expect(await deliver(ledger, gateway, again)).toMatchObject({ status: 'conflict', upTo: 5 })
    expect(await billed(ledger)).toBe(49n)
    expect(await verifyGateway(ledger.db.read, gateway.id)).toMatchObject({ ok: true })
  })
})
