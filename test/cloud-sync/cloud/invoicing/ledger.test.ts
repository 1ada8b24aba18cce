import { expect, test } from 'vitest'
import { withoutHeld } from '../../../../cloud-sync/cloud/invoicing/holds.ts'
import { usageLedger } from '../../../../cloud-sync/cloud/invoicing/ledger.ts'
import type { BillingDirectory, UsageHold } from '../../../../cloud-sync/cloud/invoicing/ports.ts'
import type { GatewayId, OrgId, RegisterEnd, SealedRecord } from '../../../../cloud-sync/contract/index.ts'
import { ZERO_HASH } from '../../../../cloud-sync/contract/index.ts'
import { sealRecord } from '../../../../cloud-sync/codec/index.ts'
import { active, DAM } from '../../../support/billing-world.ts'
import { epochOf, fakeGateway, usageBody, usageRecord } from '../../../support/fake-gateway.ts'
import { CLOUD_ID, testLedger } from '../../../support/test-ledger.ts'

const E1 = epochOf('1')
const GW = 'GW-1' as GatewayId
const [ACME, BOREALIS] = ['acme', 'borealis'] as [OrgId, OrgId]
const JULY = { from: '2026-07-01', to: '2026-07-31' }

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
