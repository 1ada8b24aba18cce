import fc from 'fast-check'
import { expect, test } from 'vitest'
import { verifyGateway } from '../../../cloud-sync/cloud/ledger/index.ts'
import { quarantined } from '../../../cloud-sync/cloud/storage/index.ts'
import { sealRecord } from '../../../cloud-sync/codec/index.ts'
import { ZERO_HASH } from '../../../cloud-sync/contract/index.ts'
import {
  epochOf,
  eventBody,
  fakeGateway,
  readingChain,
  statusOf,
  usageBody,
  usageChain,
  usageRecord,
} from '../../support/fake-gateway.ts'
import { onLedgerEngines } from '../../support/ledger-engines.ts'
import { CLOUD_ID, testLedger } from '../../support/test-ledger.ts'

const E1 = epochOf('1')
const E2 = epochOf('2')
const E3 = epochOf('3')

onLedgerEngines(({ dialect, test, ledger: open }) => {
  test('the ledger is the same whatever the order, the cuts and the repetitions of the uploads', async () => {
    const gateways = [fakeGateway('GW-1', CLOUD_ID), fakeGateway('GW-2', CLOUD_ID)] as const
    const sent = gateways.flatMap((gateway) => {
      const records = usageChain({ gateway: gateway.id, epoch: E1, count: 6 })
      // Overlapping cuts: a gateway resends from the acknowledged number on, wherever that is.
      const cuts = [records.slice(0, 2), records.slice(1, 4), records.slice(2, 6), records.slice(0, 6)]
      const usage = cuts.map((cut) => ({ gateway, kind: 'usage' as const, body: usageBody(cut) }))
      const rd = readingChain({ gateway: gateway.id, epoch: E1, count: 4 }).map(({ body }) => ({
        gateway,
        kind: 'rd' as const,
        body,
      }))
      return [...usage, ...rd]
    })
    const reference = await open(...gateways)
    for (const { gateway, kind, body } of sent) await reference.deliver(gateway, kind, body)
    const expected = await reference.rows()
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: sent.length - 1 }), { maxLength: 40 }), async (order) => {
        const ledger = await open(...gateways)
        for (const index of order) {
          const message = sent[index]
          if (message) await ledger.deliver(message.gateway, message.kind, message.body)
        }
        // What came too early was asked for again: the gateway resends in order.
        for (const { gateway, kind, body } of sent) {
          expect(await ledger.deliver(gateway, kind, body)).toMatchObject({ status: 'ok' })
        }
        expect(await ledger.rows()).toEqual(expected)
        for (const { id } of gateways)
          expect(await verifyGateway(ledger.db.read, id)).toMatchObject({ ok: true })
        await ledger.close()
      }),
      { numRuns: dialect === 'sqlite' ? 15 : 3 },
    )
  })

  test('a batch that comes too early is asked for, and nothing of it is stored', async () => {
    const gateway = fakeGateway('GW-1', CLOUD_ID)
    const ledger = await open(gateway)
    const records = usageChain({ gateway: gateway.id, epoch: E1, count: 5 })
    expect(await ledger.deliver(gateway, 'usage', usageBody(records.slice(0, 2)))).toMatchObject({
      upTo: 2,
      status: 'ok',
    })
    const gap = await ledger.deliver(gateway, 'usage', usageBody(records.slice(3)))
    expect(gap).toEqual({
      stream: 'usage',
      epoch: E1,
      upTo: 2,
      hash: records[1]?.hash,
      status: 'gap',
      want: 3,
    })
    expect(await verifyGateway(ledger.db.read, gateway.id)).toMatchObject({ ok: true, records: 2 })
  })

  test('other bytes under a posted number are a conflict, kept apart, and the posted ones stay', async () => {
    const gateway = fakeGateway('GW-1', CLOUD_ID)
    const ledger = await open(gateway)
    const records = usageChain({ gateway: gateway.id, epoch: E1, count: 3 })
    await ledger.deliver(gateway, 'usage', usageBody(records))
    const before = await ledger.rows()
    const other = usageChain({ gateway: gateway.id, epoch: E1, count: 3, step: 9n })
    const conflict = { upTo: 3, hash: records[2]?.hash, status: 'conflict' }
    expect(await ledger.deliver(gateway, 'usage', usageBody(other))).toMatchObject(conflict)
    expect(await ledger.deliver(gateway, 'usage', usageBody(other))).toMatchObject(conflict)
    // One of the two histories is false: until an operator has said which, neither goes on.
    const forked = { streams: [{ up_to: 3, state: 'forked' }] }
    expect(await ledger.rows()).toMatchObject({ ...before, ...forked })
    expect(await quarantined(ledger.db.read, gateway.id)).toMatchObject([{ reason: 'conflict', repeats: 1 }])
  })

  test('what does not follow the posted head is a fork: nothing more is posted in that epoch', async () => {
    const gateway = fakeGateway('GW-1', CLOUD_ID)
    const ledger = await open(gateway)
    const records = usageChain({ gateway: gateway.id, epoch: E1, count: 4 })
    await ledger.deliver(gateway, 'usage', usageBody(records.slice(0, 2)))
    const before = await ledger.rows()
    const branch = usageChain({ gateway: gateway.id, epoch: E1, first: 3, count: 1, prev: ZERO_HASH })
    expect(await ledger.deliver(gateway, 'usage', usageBody(branch))).toMatchObject({
      upTo: 2,
      status: 'fork',
    })
    // Which of the two branches is the true one only a person can tell (decisions.md, Forks).
    expect(await ledger.deliver(gateway, 'usage', usageBody(records.slice(2)))).toMatchObject({
      upTo: 2,
      status: 'fork',
    })
    expect(await ledger.deliver(gateway, 'usage', usageBody(records.slice(0, 2)))).toMatchObject({
      status: 'ok',
    })
    const forked = { streams: [{ up_to: 2, state: 'forked' }] }
    expect(await ledger.rows()).toMatchObject({ ...before, ...forked })
  })

  test('a broken chain of readings is a fork too', async () => {
    const gateway = fakeGateway('GW-1', CLOUD_ID)
    const ledger = await open(gateway)
    const batches = readingChain({ gateway: gateway.id, epoch: E1, count: 3 })
    const others = readingChain({ gateway: gateway.id, epoch: E1, count: 3, startAt: 5 })
    await ledger.deliver(gateway, 'rd', batches[0]?.body ?? new Uint8Array())
    expect(await ledger.deliver(gateway, 'rd', others[1]?.body ?? new Uint8Array())).toMatchObject({
      status: 'fork',
    })
    expect(await ledger.deliver(gateway, 'rd', others[0]?.body ?? new Uint8Array())).toMatchObject({
      status: 'conflict',
    })
  })

  test('a register never goes back: such a record is refused whole', async () => {
    const gateway = fakeGateway('GW-1', CLOUD_ID)
    const ledger = await open(gateway)
    const records = usageChain({ gateway: gateway.id, epoch: E1, count: 2 })
    await ledger.deliver(gateway, 'usage', usageBody(records))
    const lower = usageChain({
      gateway: gateway.id,
      epoch: E1,
      first: 3,
      count: 1,
      prev: records[1]?.hash ?? ZERO_HASH,
      step: 1n,
    })
    expect(await ledger.deliver(gateway, 'usage', usageBody(lower))).toMatchObject({
      upTo: 2,
      status: 'conflict',
    })
    expect(await verifyGateway(ledger.db.read, gateway.id)).toMatchObject({ ok: true, records: 2 })
  })

  test('registers beyond 2^53 are added up exactly', async () => {
    const gateway = fakeGateway('GW-1', CLOUD_ID)
    const ledger = await open(gateway)
    const records = usageChain({ gateway: gateway.id, epoch: E1, count: 2, step: 2n ** 61n + 1n })
    await ledger.deliver(gateway, 'usage', usageBody(records))
    expect(await ledger.rows()).toMatchObject({
      postings: [{ quantity: (2n ** 61n + 1n).toString() }, { quantity: (2n ** 61n + 1n).toString() }],
    })
    const tooFar = usageChain({
      gateway: gateway.id,
      epoch: E1,
      first: 3,
      count: 1,
      prev: records[1]?.hash ?? ZERO_HASH,
      step: 2n ** 63n,
    })
    expect(await ledger.deliver(gateway, 'usage', usageBody(tooFar))).toMatchObject({ status: 'conflict' })
  })

  test('an undated record is labelled by a later day_assign', async () => {
    const gateway = fakeGateway('GW-1', CLOUD_ID)
    const ledger = await open(gateway)
    const undated = usageChain({ gateway: gateway.id, epoch: E1, count: 1, day: null })
    const prev = undated[0]?.hash ?? ZERO_HASH
    const assigned = sealRecord(
      usageRecord({
        gw: gateway.id,
        epoch: E1,
        seq: 2,
        prev,
        kind: 'day_assign',
        corrects: 1,
        day: '2026-01-31',
      }),
    )
    await ledger.deliver(gateway, 'usage', usageBody([...undated, assigned]))
    const label = await ledger.db.read.selectFrom('usage_day_assign').selectAll().execute()
    expect(label).toMatchObject([{ corrects: 1, day: '2026-01-31' }])
  })

  test('a new epoch opens where it names the known one, once; then the old one takes nothing more', async () => {
    const gateway = fakeGateway('GW-1', CLOUD_ID)
    const ledger = await open(gateway)
    const first = usageChain({ gateway: gateway.id, epoch: E1, count: 2 })
    await ledger.deliver(gateway, 'usage', usageBody(first))
    const second = usageChain({ gateway: gateway.id, epoch: E2, count: 2, from: 14n })
    // Nobody announced it: no answer, nothing posted.
    expect(await ledger.deliver(gateway, 'usage', usageBody(second))).toBeUndefined()
    const announce = (epoch: typeof E1, parent: typeof E1 | null) =>
      ledger.announce(gateway, statusOf({ usage: { epoch, parent } }))
    expect(await announce(E2, null)).toMatchObject([
      { epoch: E2, status: 'unknown_epoch' },
      { epoch: E1, upTo: 2 },
    ])
    expect(await announce(E2, E3)).toMatchObject([
      { epoch: E2, status: 'hold' },
      { epoch: E1, upTo: 2 },
    ])
    expect(await announce(E2, E1)).toMatchObject([{ epoch: E2, upTo: 0, status: 'ok' }, { epoch: E1 }])
    expect(await ledger.deliver(gateway, 'usage', usageBody(second))).toMatchObject({
      epoch: E2,
      upTo: 2,
      status: 'ok',
    })
    // The register kept its generation, so the new epoch goes on where the old one stood: 14 + 14, never 14 + 28.
    expect(await ledger.rows()).toMatchObject({
      postings: [7, 7, 7, 7].map((n) => ({ quantity: String(n) })),
    })
    // A second child of the same parent is a copy of the gateway, or the gateway after a copy: the operator decides.
    expect(await announce(E3, E1)).toMatchObject([
      { epoch: E3, status: 'hold' },
      { epoch: E2, upTo: 2 },
    ])
    const late = usageChain({
      gateway: gateway.id,
      epoch: E1,
      first: 3,
      count: 1,
      prev: first[1]?.hash ?? ZERO_HASH,
      from: 14n,
    })
    expect(await ledger.deliver(gateway, 'usage', usageBody(late))).toMatchObject({
      epoch: E1,
      upTo: 2,
      status: 'fork',
    })
    // Somebody goes on under the old numbers: what comes after them waits for an operator too.
    const third = usageChain({ gateway: gateway.id, epoch: E2, count: 3, from: 14n }).slice(2)
    expect(await ledger.deliver(gateway, 'usage', usageBody(third))).toMatchObject({
      upTo: 2,
      status: 'hold',
    })
    expect(await announce(E3, E1)).toMatchObject([{ epoch: E3, status: 'hold' }, { epoch: E2 }])
  })

  test('events are kept once, batch by batch', async () => {
    const gateway = fakeGateway('GW-1', CLOUD_ID)
    const ledger = await open(gateway)
    const one = eventBody(gateway.id, E1, 1, ['boot', 'fault'])
    const two = eventBody(gateway.id, E1, 3, ['alarm'])
    expect(await ledger.deliver(gateway, 'evt', two)).toMatchObject({ status: 'gap', want: 1 })
    expect(await ledger.deliver(gateway, 'evt', one)).toMatchObject({ status: 'ok', upTo: 2 })
    expect(await ledger.deliver(gateway, 'evt', one)).toMatchObject({ status: 'ok', upTo: 2 })
    expect(await ledger.deliver(gateway, 'evt', two)).toMatchObject({ status: 'ok', upTo: 3 })
    const other = eventBody(gateway.id, E1, 1, ['boot', 'other'])
    expect(await ledger.deliver(gateway, 'evt', other)).toMatchObject({ status: 'conflict', upTo: 3 })
  })
})

test('the verifier names the first record that was tampered with', async () => {
  const gateway = fakeGateway('GW-1', CLOUD_ID)
  const ledger = await testLedger(gateway)
  const records = usageChain({ gateway: gateway.id, epoch: E1, count: 5 })
  await ledger.deliver(gateway, 'usage', usageBody(records))
  // An operator's honest tools cannot change a fact at all.
  const change = ledger.db.write.updateTable('usage_record').set({ org: 'borealis' }).where('seq', '=', 3)
  await expect(change.execute()).rejects.toThrow('append-only')
  const { sql } = await import('kysely')
  await sql`drop trigger usage_record_no_update`.execute(ledger.db.write)
  const bytes = Uint8Array.from(records[2]?.bytes ?? [])
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
  await ledger.db.write.updateTable('usage_record').set({ bytes }).where('seq', '=', 3).execute()
  expect(await verifyGateway(ledger.db.read, gateway.id)).toMatchObject({
    ok: false,
    faults: [{ stream: 'usage', epoch: E1, seq: 3, because: 'hash' }],
  })
})
