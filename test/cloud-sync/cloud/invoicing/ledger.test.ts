import { join } from 'node:path'
import { expect, test } from 'vitest'
import { cloudEventOf } from '../../../../cloud-sync/cloud/billing/index.ts'
import { withoutHeld } from '../../../../cloud-sync/cloud/invoicing/holds.ts'
import { usageLedger } from '../../../../cloud-sync/cloud/invoicing/ledger.ts'
import type { BillingDirectory, UsageHold } from '../../../../cloud-sync/cloud/invoicing/ports.ts'
import type { GatewayId, OrgId, RegisterEnd, SealedRecord } from '../../../../cloud-sync/contract/index.ts'
import { ZERO_HASH } from '../../../../cloud-sync/contract/index.ts'
import { sealRecord } from '../../../../cloud-sync/codec/index.ts'
import { active, DAM } from '../../../support/billing-world.ts'
import { epochOf, fakeGateway, usageBody, usageRecord } from '../../../support/fake-gateway.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'
import { CLOUD_ID, openTestLedger, testLedger } from '../../../support/test-ledger.ts'

const E1 = epochOf('1')
const GW = 'GW-1' as GatewayId
const [ACME, BOREALIS] = ['acme', 'borealis'] as [OrgId, OrgId]
const JULY = {
  ...{ from: '2026-07-01', to: '2026-07-31', decidedBefore: Number.MAX_SAFE_INTEGER },
  late: null,
}

const register = (sensor: string, end: bigint, workspace: string): RegisterEnd =>
  ({
    ...{ meter: 'sensor.active_day', subject: `sensor:${sensor}/main`, gen: 0, end },
    ...{ custodian: 'ana', workspace, billable: true, q: 0 },
  }) as RegisterEnd

/** One record a day, each for an organisation. */
function days(
  ...owners: readonly (readonly [org: string, day: string, workspace: string])[]
): SealedRecord[] {
  let prev = ZERO_HASH
  return owners.map(([org, day, workspace], index) => {
    const registers = [register('tilt-1', BigInt(index + 1), workspace)]
    const sealed = sealRecord(usageRecord({ gw: GW, epoch: E1, seq: index + 1, prev, org, day, registers }))
    prev = sealed.hash
    return sealed
  })
}

const directoryWith = (
  presence: Readonly<Record<string, readonly string[]>>,
  holds: readonly UsageHold[] = [],
): Pick<BillingDirectory, 'presenceOf' | 'holdsOf' | 'organisation'> => ({
  organisation: () => Promise.resolve(undefined),
  presenceOf: (org) => Promise.resolve((presence[org] ?? []) as GatewayId[]),
  holdsOf: (org) => Promise.resolve(holds.filter((hold) => hold.org === org || hold.winner === org)),
})

test('S1.2 every uplink is of the organisation and workspace that had it then, also after a transfer', async () => {
  const gateway = fakeGateway(GW, CLOUD_ID)
  const ledger = await testLedger(gateway)
  const records = days(
    ['acme', '2026-07-01', 'north'],
    ['acme', '2026-07-02', 'south'],
    ['borealis', '2026-07-03', 'main'],
  )
  await ledger.deliver(gateway, 'usage', usageBody(records))
  const people = directoryWith({ acme: [GW], borealis: [GW] })
  const usage = usageLedger({ db: ledger.db, directory: people, now: () => 1 })
  const facts = async (org: OrgId) =>
    (await usage.factsOf(org, JULY)).map(({ org: whose, day, workspace, subject }) => ({
      whose,
      day,
      workspace,
      subject,
    }))
  const subject = 'sensor:tilt-1/main'
  expect(await facts(ACME)).toEqual([
    { whose: ACME, day: '2026-07-01', workspace: 'north', subject },
    { whose: ACME, day: '2026-07-02', workspace: 'south', subject },
  ])
  expect(await facts(BOREALIS)).toEqual([{ whose: BOREALIS, day: '2026-07-03', workspace: 'main', subject }])
  expect(await usage.monthsWithNews(ACME, { from: 0 })).toEqual(['2026-07'])
  expect((await usage.recordsOf(BOREALIS, JULY)).map(({ seq, org }) => ({ seq, org }))).toEqual([
    { seq: 3, org: BOREALIS },
  ])
})

test('a gateway whose clock is ahead has reported no further than what was received of it', async () => {
  const gateway = fakeGateway(GW, CLOUD_ID)
  // Everything is received at 1, epoch ms.
  const ledger = await testLedger(gateway)
  const { time } = usageRecord({ gw: GW, epoch: E1, seq: 1, prev: ZERO_HASH })
  const ahead = { ...time, wallEnd: Date.parse('2031-01-01') }
  const record = usageRecord({ gw: GW, epoch: E1, seq: 1, prev: ZERO_HASH, time: ahead })
  await ledger.deliver(gateway, 'usage', usageBody([sealRecord(record)]))
  const usage = usageLedger({ db: ledger.db, directory: directoryWith({}), now: () => 1 })
  expect(await usage.reportedUntil([GW])).toEqual(new Map([[GW, 1]]))
})

const hold = (winner: string | null, fields: Partial<UsageHold> = {}): UsageHold => ({
  ...{ gateway: GW, org: DAM, since: Date.parse('2026-07-10T12:00:00Z'), until: null, winner },
  ...{ decidedAt: winner === null ? null : Date.parse('2026-07-20T00:00:00Z'), ...fields },
})
const facts = ['2026-07-09', '2026-07-10', '2026-07-15'].map((day) => active(day, 's1', { gateway: GW }))
const daysOf = (holds: readonly UsageHold[]): string[] =>
  withoutHeld(facts, { org: DAM, zone: 'UTC', holds, won: [] }).map(({ day }) => day)

test('usage of a disputed gateway is nobody’s before there is a winner', () => {
  expect(daysOf([])).toHaveLength(3)
  expect(daysOf([hold(null)])).toEqual(['2026-07-09'])
  expect(daysOf([hold('other')])).toEqual(['2026-07-09'])
  expect(daysOf([hold('')])).toEqual(['2026-07-09'])
  expect(daysOf([hold(DAM)])).toHaveLength(3)
  expect(daysOf([hold(null, { gateway: 'GW-9' as GatewayId })])).toHaveLength(3)
  // It became the owner after all.
  expect(daysOf([hold('other', { until: Date.parse('2026-07-15T00:00:00Z') })])).toEqual([
    '2026-07-09',
    '2026-07-15',
  ])
})

test('the winner pays for what was held, and is told nothing of the people of the other', () => {
  const other = 'other' as OrgId
  const won = withoutHeld([], {
    org: other,
    zone: 'UTC',
    holds: [hold(other)],
    won: [{ hold: hold(other), facts }],
  })
  expect(won.map(({ org, day, custodian, workspace }) => ({ org, day, custodian, workspace }))).toEqual(
    ['2026-07-10', '2026-07-15'].map((day) => ({ org: other, day, custodian: null, workspace: null })),
  )
})

const at = (moment: string): number => Date.parse(`${moment}T00:00:00Z`)
/** A ledger that receives these records of ACME's, each at its moment. */
async function received(
  records: readonly SealedRecord[],
  moments: readonly string[],
  holds: readonly UsageHold[] = [],
) {
  const gateway = fakeGateway(GW, CLOUD_ID)
  const clock = { now: 0 }
  const path = join(temporaryFolder(), 'cloud.db')
  const ledger = await openTestLedger({ dialect: 'sqlite', path }, [gateway], () => clock.now)
  const presence = { acme: [GW], borealis: [GW] }
  const directory = directoryWith(presence, holds)
  const usage = usageLedger({ db: ledger.db, directory, now: () => clock.now })
  const cuts: [moment: string, turn: number][] = [['', 0]]
  for (const [index, record] of records.entries()) {
    const moment = moments[index] ?? ''
    clock.now = at(moment)
    await ledger.deliver(gateway, 'usage', usageBody([record]))
    cuts.push([moment, await usage.cutOff()])
  }
  const turnAt = (moment: string): number => cuts.findLast(([made]) => made <= moment)?.[1] ?? 0
  /** What a month exports that was closed then, and the one before it when `before` says. */
  const exportOf = (org: OrgId, month: string, closed: string, before: string | null = null) =>
    usage.recordsOf(org, {
      ...{ from: `${month}-01`, to: `${month}-31`, postedBefore: turnAt(closed), decidedBefore: at(closed) },
      late: before === null ? null : { postedFrom: turnAt(before), decidedFrom: at(before) },
    })
  return { usage, exportOf }
}

test('what came after its month was closed is exported with the month that corrects it, once', async () => {
  const { exportOf } = await received(
    days(['acme', '2026-06-29', 'north'], ['acme', '2026-06-30', 'north'], ['acme', '2026-07-10', 'north']),
    ['2026-06-30', '2026-07-10', '2026-07-11'],
  )
  const exportedBy = async (...asked: [month: string, closed: string, before?: string]) =>
    (await exportOf(ACME, ...asked)).map(({ day }) => day)
  expect(await exportedBy('2026-06', '2026-07-04')).toEqual(['2026-06-29'])
  expect(await exportedBy('2026-07', '2026-08-04', '2026-07-04')).toEqual(['2026-06-30', '2026-07-10'])
  expect(await exportedBy('2026-08', '2026-09-04', '2026-08-04')).toEqual([])
})

test('a record that was given two days is two events, each named for good by what gave it its day', async () => {
  const undated = sealRecord(
    usageRecord({
      ...{ gw: GW, epoch: E1, seq: 1, prev: ZERO_HASH, org: 'acme', day: null },
      registers: [{ ...register('tilt-1', 1_000n, 'north'), meter: 'cell.alloc' }],
    }),
  )
  let prev = undated.hash
  const given = [
    { day: '2026-07-01', from: 0, to: 3 },
    { day: '2026-07-02', from: 3, to: 10 },
  ].map(({ day, from, to }, index) => {
    const share = { epoch: null, from, to, of: 10 }
    const seq = index + 2
    const label = usageRecord({
      gw: GW,
      epoch: E1,
      seq,
      prev,
      org: 'acme',
      kind: 'day_assign',
      corrects: 1,
      day,
      share,
    })
    const sealed = sealRecord(label)
    prev = sealed.hash
    return sealed
  })
  const { usage } = await received([undated, ...given], ['2026-07-03', '2026-07-03', '2026-07-04'])
  const events = (await usage.recordsOf(ACME, JULY)).map(cloudEventOf)
  expect(events.map(({ id, data }) => [id, data.day, data.usage[0]?.quantity])).toEqual([
    ['0000000000000001-0000000000000002', '2026-07-01', '300'],
    ['0000000000000001-0000000000000003', '2026-07-02', '700'],
  ])
  // It became known with its day, not before.
  expect(events.map(({ recordedtime }) => recordedtime.slice(0, 10))).toEqual(['2026-07-03', '2026-07-04'])
})

test('what is held is in nobody’s export, and then in the winner’s alone, with the month of the decision', async () => {
  const records = days(['acme', '2026-06-09', 'north'], ['acme', '2026-06-20', 'north'])
  const since = Date.parse('2026-06-15T12:00:00Z')
  const held = (winner: string | null): UsageHold =>
    hold(winner, { org: ACME, since, decidedAt: winner === null ? null : at('2026-07-20') })
  const exports = async (winner: string | null) => {
    const { exportOf } = await received(records, ['2026-06-10', '2026-06-21'], [held(winner)])
    const of = async (...asked: Parameters<typeof exportOf>) =>
      (await exportOf(...asked)).map((record) => [record.org, record.day])
    const june = ['2026-06', '2026-07-04'] as const
    const july = ['2026-07', '2026-08-04', '2026-07-04'] as const
    return [
      ...[await of(ACME, ...june), await of(ACME, ...july)],
      ...[await of(BOREALIS, ...june), await of(BOREALIS, ...july)],
    ]
  }
  const own = ['acme', '2026-06-09']
  expect(await exports(null)).toEqual([[own], [], [], []])
  expect(await exports('')).toEqual([[own], [], [], []])
  expect(await exports('borealis')).toEqual([[own], [], [], [['borealis', '2026-06-20']]])
  expect(await exports('acme')).toEqual([[own], [['acme', '2026-06-20']], [], []])
})

test('the winner’s export tells nothing of the people of the other, and has names of its own', async () => {
  const won = hold('borealis', { org: ACME, since: at('2026-07-01'), decidedAt: at('2026-07-20') })
  const { usage } = await received(days(['acme', '2026-07-05', 'north']), ['2026-07-06'], [won])
  const [event] = (await usage.recordsOf(BOREALIS, JULY)).map(cloudEventOf)
  expect(event).toMatchObject({ id: '0000000000000001-won', subject: 'borealis' })
  expect(event?.data.usage).toMatchObject([{ custodian: null, workspace: null, quantity: '1' }])
})
