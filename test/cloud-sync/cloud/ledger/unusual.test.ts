import { expect, test } from 'vitest'
import { cloudEventOf, type LedgerRecord } from '../../../../cloud-sync/cloud/billing/index.ts'
import { verifyGateway } from '../../../../cloud-sync/cloud/ledger/index.ts'
import { lossesOf, postedDays, quarantined, usageDays } from '../../../../cloud-sync/cloud/storage/index.ts'
import { decodeUsageBatch, sealRecord, sha256 } from '../../../../cloud-sync/codec/index.ts'
import {
  GatewayStatus,
  type OrgId,
  type RecordTime,
  type UsageRecord,
  ZERO_HASH,
} from '../../../../cloud-sync/contract/index.ts'
import { verified } from '../../../support/evidence-file.ts'
import { epochOf, fakeGateway, usageBody, usageChain, usageRecord } from '../../../support/fake-gateway.ts'
import { onLedgerEngines } from '../../../support/ledger-engines.ts'
import { CLOUD_ID, CLOUD_ROOT, testLedger } from '../../../support/test-ledger.ts'

const E1 = epochOf('1')

const IMPOSSIBLE: [string, Partial<RecordTime>][] = [
  ['a day that no calendar has', { day: '2026-02-30' }],
  ['a month that no year has', { day: '2026-13-01' }],
  ['a day of the year 0', { day: '0000-01-01' }],
  ['a start beyond all time', { wallStart: -9e15 }],
  ['an end beyond all time', { wallEnd: 8_640_000_000_000_001 }],
  ['an end after the year 9999', { wallEnd: Date.UTC(10_000, 0, 1) }],
]

test.for(IMPOSSIBLE)(
  'a record with %s is kept apart, and nothing of its message is posted',
  async ([, time]) => {
    const gateway = fakeGateway('GW-1', CLOUD_ID)
    const ledger = await testLedger(gateway)
    const [one] = usageChain({ gateway: gateway.id, epoch: E1, count: 1 })
    const { time: usual } = usageRecord({ gw: gateway.id, epoch: E1, seq: 2, prev: ZERO_HASH })
    const bad = sealRecord({
      ...usageRecord({ gw: gateway.id, epoch: E1, seq: 2, prev: one?.hash ?? ZERO_HASH }),
      time: { ...usual, ...time },
    })
    const body = usageBody(one === undefined ? [] : [one, bad])
    for (let times = 0; times < 2; times += 1) {
      expect(await ledger.deliver(gateway, 'usage', body)).toBeUndefined()
    }
    expect(await ledger.rows()).toMatchObject({ streams: [], records: [], postings: [] })
    expect(await quarantined(ledger.db.read, gateway.id)).toMatchObject([
      { stream: 'usage', epoch: E1, reason: 'malformed at 2', hash: sha256(body), repeats: 1 },
    ])
    expect(ledger.worker.counts.unreadable).toBe(2)
  },
)

test('what a ledger took before times were checked is read, proved and exported all the same', async () => {
  const gateway = fakeGateway('GW-1', CLOUD_ID)
  const ledger = await testLedger(gateway)
  const { time } = usageRecord({ gw: gateway.id, epoch: E1, seq: 1, prev: ZERO_HASH })
  const [chained] = usageChain({ gateway: gateway.id, epoch: E1, count: 1, day: '2026-02-30' })
  const records = [{ ...chained?.record, time: { ...time, day: '2026-02-30', wallEnd: 9e15 } } as UsageRecord]
  const body = usageBody(records.map(sealRecord))
  const [message, { keyId }] = [gateway.sign('usage', body), gateway.key]
  const batch = decodeUsageBatch(body)
  ledger.worker.offer({ gateway: gateway.id, what: 'usage', message, keyId, body, hash: sha256(body), batch })
  await ledger.worker.idle()
  expect(await verifyGateway(ledger.db.read, gateway.id)).toMatchObject({ ok: true, records: 1 })
  expect(await verified(await ledger.evidence(), { trust: CLOUD_ROOT })).toMatchObject({
    fault: null,
    facts: 1,
  })
  const asked = { org: 'acme' as OrgId, from: '2026-02-01', to: '2026-02-31' }
  const [posted] = await postedDays(ledger.db.read, asked)
  const event = cloudEventOf({
    ...asked,
    ...posted,
    wallEnd: posted?.wall_end,
    receivedAt: 1,
    postings: [],
  } as unknown as LedgerRecord)
  expect(event.time).toBe('9999-12-31T23:59:59.999Z')
})

onLedgerEngines(({ test, ledger: open }) => {
  test('what the gateway has no more is booked as lost when what follows has come, and only then', async () => {
    const gateway = fakeGateway('GW-1', CLOUD_ID)
    const ledger = await open(gateway)
    const records = usageChain({ gateway: gateway.id, epoch: E1, count: 9 })
    const deliver = (first: number, last = first) =>
      ledger.deliver(gateway, 'usage', usageBody(records.slice(first - 1, last)))
    const announce = (kept: number) => {
      const streams = { usage: { epoch: E1, parent: null, next: 10, oldest: 9, kept } }
      return ledger.announce(gateway, GatewayStatus.parse({ online: true, streams }))
    }
    const standing = { upTo: 2, hash: records[1]?.hash }
    await deliver(1, 2)
    expect(await announce(3)).toMatchObject([{ ...standing, status: 'ok' }])
    expect(await deliver(6)).toMatchObject({ ...standing, status: 'gap', want: 3 })
    expect(await announce(6)).toMatchObject([{ ...standing, status: 'gap', want: 6 }])
    // Further on is still too early, and before it is what it says that it has not.
    expect(await deliver(8)).toMatchObject({ ...standing, status: 'gap', want: 6 })
    expect(await deliver(5)).toMatchObject({ ...standing, status: 'gap', want: 3 })
    expect(await lossesOf(ledger.db.read)).toEqual([])
    expect(await deliver(6, 7)).toMatchObject({ upTo: 7, status: 'ok' })
    expect(await deliver(8, 9)).toMatchObject({ upTo: 9, status: 'ok' })
    expect(ledger.worker.counts.lost).toBe(1)
    const loss = { gateway: gateway.id, epoch: E1, first: 3, last: 5, prev: records[4]?.hash, bookedAt: 1 }
    expect(await lossesOf(ledger.db.read)).toEqual([loss])
    // Every register's end tells what was used before it.
    const days = await usageDays(ledger.db.read, { org: 'acme' as OrgId })
    expect(days.map(({ quantity }) => quantity)).toEqual([63n])
    expect(await verifyGateway(ledger.db.read, gateway.id)).toMatchObject({
      ok: true,
      losses: [{ epoch: E1, first: 3, last: 5 }],
    })
    for (const scope of [{ of: 'operator' }, { of: 'organisation', org: 'acme' as OrgId }] as const) {
      const report = await verified(await ledger.evidence({ scope }), { trust: CLOUD_ROOT })
      expect(report).toMatchObject({ fault: null, streams: [{ lost: 3, signed: 6 }] })
    }
    const change = (set: object) => ledger.db.write.updateTable('usage_loss').set(set).execute()
    const faults = async () => (await verifyGateway(ledger.db.read, gateway.id)).faults
    await change({ prev: ZERO_HASH })
    expect(await faults()).toMatchObject([{ seq: 6, because: 'prev' }])
    await change({ prev: loss.prev, last: 4 })
    expect(await faults()).toMatchObject([{ seq: 6, because: 'seq' }])
    await change({ first: 12, last: 14 })
    expect(await faults()).toMatchObject([{ seq: 6, because: 'seq' }])
  })
})
