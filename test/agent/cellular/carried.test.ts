import { expect, test } from 'vitest'
import { CarriedReadings } from '../../../agent/cellular/carried.ts'
import type { Owner } from '../../../agent/metering/index.ts'
import { encodeReadingBatch } from '../../../cloud-sync/codec/index.ts'
import {
  type ChannelDef,
  type OrgId,
  type StoredReading,
  type Subject,
  ZERO_HASH,
} from '../../../cloud-sync/contract/index.ts'

const owner = (org: string): Owner => ({ org: org as OrgId, ownerEpoch: 1, custodian: null, workspace: null })
const [acme, borealis] = [owner('acme'), owner('borealis')]
/** Channels 1 and 2 are of one sensor, 3 is a guest's, 4 is known to nobody. */
const payers: Record<number, { subject: Subject; owner: Owner }> = {
  1: { subject: 'sensor:tilt/main' as Subject, owner: acme },
  2: { subject: 'sensor:tilt/main' as Subject, owner: acme },
  3: { subject: 'sensor:guest/main' as Subject, owner: borealis },
}
const carried = (): CarriedReadings =>
  new CarriedReadings({
    channel: (no) => (no in payers ? ({ no } as ChannelDef) : undefined),
    payerOf: ({ no }) => payers[no] ?? { subject: 'gateway' as Subject, owner: acme },
  })

const batch = (channels: readonly number[]): Uint8Array =>
  encodeReadingBatch(
    {
      v: 1,
      gw: 'GW-1',
      epoch: 'e'.repeat(32),
      seq: 1,
      prev: ZERO_HASH,
      defs: [],
      readings: channels.map(
        (channel, at): StoredReading => ({ channel, takenAt: at, value: at, quality: 'good', reason: null }),
      ),
    },
    () => null,
  )

test('the bytes of a batch are divided by the readings that it carried, to the last byte', () => {
  const meter = carried()
  meter.sent({ stream: 'rd', body: batch([1, 2, 1, 3, 3]), bytes: 101 })
  expect(meter.take()).toEqual([
    { ...payers[1], payload: 61n, packets: 61n },
    { ...payers[3], payload: 40n, packets: 40n },
  ])
  expect(meter.take()).toEqual([])
})

test("a batch that is sent again is carried again, and other streams carry nobody's readings", () => {
  const meter = carried()
  const sent = { stream: 'rd/h', body: batch([3]), bytes: 50 } as const
  meter.sent(sent)
  meter.sent(sent)
  meter.sent({ stream: 'usage', body: Uint8Array.of(1), bytes: 500 })
  meter.sent({ stream: 'rd', body: batch([4]), bytes: 50 })
  expect(meter.take().map(({ owner: payer, payload }) => [payer.org, payload])).toEqual([
    ['borealis', 50n],
    ['borealis', 50n],
  ])
})
