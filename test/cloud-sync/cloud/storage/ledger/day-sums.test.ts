import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DaySums, type Place } from '../../../../../cloud-sync/cloud/storage/ledger/day-sums.ts'
import type { OrgId } from '../../../../../cloud-sync/contract/index.ts'

const DAM = 'dam' as OrgId

const place: fc.Arbitrary<Place> = fc.record({
  gateway: fc.constantFrom('GW-1', 'GW-10', 'GW-2'),
  subject: fc.constantFrom('sensor:a/main', 'sensor:b/main', 'link:wwan0'),
  meter: fc.constantFrom('sensor.active_day', 'cell.alloc'),
  custodian: fc.constantFrom(null, 'anna', 'ben'),
  workspace: fc.constantFrom(null, 'wall'),
  network: fc.constantFrom(null, '26201'),
  billable: fc.constantFrom(0, 1),
})
const posting = fc.record({
  place,
  day: fc.constantFrom(null, '2026-07-01', '2026-07-02'),
  quantity: fc.constantFrom(0n, 1n, 2n ** 62n),
})

test('postings are summed by day, thing and payer, in one order however they come', () => {
  fc.assert(
    fc.property(fc.array(posting, { maxLength: 60 }), (postings) => {
      const expected = new Map<string, bigint>()
      for (const { place: of, day, quantity } of postings) {
        if (quantity === 0n) continue
        const { gateway, subject, meter, custodian, workspace, network, billable } = of
        const key = [day, gateway, subject, meter, custodian, workspace, network, billable]
          .map((part) => part ?? '')
          .join('\n')
        expected.set(key, (expected.get(key) ?? 0n) + quantity)
      }
      const summed = (some: typeof postings): string[] => {
        const sums = new DaySums(DAM)
        for (const one of some) sums.add(one.place, one.day, one.quantity)
        return sums
          .inOrder()
          .map((sum) =>
            [
              ...[sum.day ?? '', sum.gateway, sum.subject, sum.meter, sum.custodian ?? ''],
              ...[sum.workspace ?? '', sum.network ?? '', Number(sum.billable), '=', sum.quantity],
            ].join('\n'),
          )
      }
      const wanted = [...expected].map(([key, quantity]) => `${key}\n=\n${quantity}`).sort()
      expect(summed(postings)).toEqual(wanted)
      expect(summed(postings.toReversed())).toEqual(wanted)
    }),
  )
})
