import { expect, test } from 'vitest'
import { quarantined } from '../../../../cloud-sync/cloud/storage/index.ts'
import { sealRecord } from '../../../../cloud-sync/codec/index.ts'
import { type SealedRecord, ZERO_HASH } from '../../../../cloud-sync/contract/index.ts'
import { epochOf, fakeGateway, usageBody, usageRecord } from '../../../support/fake-gateway.ts'
import { CLOUD_ID, testLedger } from '../../../support/test-ledger.ts'

const epoch = epochOf('a')
const register = (meter: string, end: bigint): object => ({
  ...{ meter, subject: 'sensor:tilt-1/main', gen: 0, end },
  ...{ custodian: null, workspace: null, billable: true, q: 0 },
})

/** An undated record, its day, one more of that day, and what the gateway says that the day came to. */
function dayOf(gw: string, readings: bigint, count = 2): [SealedRecord, ...SealedRecord[]] {
  const drafts = [
    { day: null, registers: [register('sensor.readings', 30n)] },
    { kind: 'day_assign', corrects: 1, registers: [register('sensor.active_day', 1n)] },
    { registers: [register('sensor.readings', 50n)] },
    {
      kind: 'day_close',
      close: {
        records: count,
        sensors: 1,
        totals: [
          { meter: 'sensor.readings', quantity: readings },
          { meter: 'sensor.active_day', quantity: 1n },
        ],
      },
    },
  ]
  let prev: string = ZERO_HASH
  return drafts.map((draft, index) => {
    const sealed = sealRecord(usageRecord({ gw, epoch, seq: index + 1, prev, ...draft }))
    prev = sealed.hash
    return sealed
  }) as [SealedRecord, ...SealedRecord[]]
}

test.for([
  ['as the gateway counted it is no news', 50n, 2, []],
  ['that is less than the gateway counted is kept for the operator', 51n, 2, ['day-close']],
  ['of fewer records than the gateway made is kept for the operator', 50n, 3, ['day-close']],
] as const)('a day %s, and is acknowledged all the same', async ([, readings, count, reasons]) => {
  const gateway = fakeGateway('GW-1', CLOUD_ID)
  const ledger = await testLedger(gateway)
  const records = dayOf(gateway.id, readings, count)
  expect(await ledger.deliver(gateway, 'usage', usageBody(records))).toMatchObject({ status: 'ok', upTo: 4 })
  const kept = await quarantined(ledger.db.read, gateway.id)
  expect(kept.map(({ reason, hash }) => [reason, hash])).toEqual(
    reasons.map((reason) => [reason, records.at(-1)?.hash]),
  )
})
