import fc from 'fast-check'
import { expect, test } from 'vitest'
import { billingDay, type ZoneFrom } from '../../../cloud-sync/contract/index.ts'

const berlin: ZoneFrom = { from: '2026-01-01', zone: 'Europe/Berlin' }
const auckland: ZoneFrom = { from: '2026-11-25', zone: 'Pacific/Auckland' }
const nowhere: ZoneFrom = { from: '2026-01-01', zone: 'Mars/Olympus' }

const cases: [string, readonly ZoneFrom[], string, string][] = [
  ['nothing is chosen', [], '2026-11-21T23:59:59Z', '2026-11-21 UTC'],
  ['the day has begun in the zone', [berlin], '2026-11-21T23:00:00Z', '2026-11-22 Europe/Berlin'],
  ['summer time begins', [berlin], '2026-03-28T22:59:59Z', '2026-03-28 Europe/Berlin'],
  ['summer time is over', [berlin], '2026-10-25T22:59:59Z', '2026-10-25 Europe/Berlin'],
  ['it is before the first zone', [berlin], '2025-12-31T22:59:59Z', '2025-12-31 UTC'],
  ['a later zone has not begun', [berlin, auckland], '2026-11-24T10:59:59Z', '2026-11-24 Europe/Berlin'],
  ['a later zone has begun', [berlin, auckland], '2026-11-24T11:00:00Z', '2026-11-25 Pacific/Auckland'],
  ['this machine does not know the zone', [nowhere], '2026-11-21T12:00:00Z', '2026-11-21 UTC'],
]
test.for(cases)('where %s, the day is the one that is stamped', ([, zones, at, expected]) => {
  const { day, tz } = billingDay(zones, Date.parse(at))
  expect(`${day} ${tz}`).toBe(expected)
})

test('days never go back where zones change by less than a day, whatever they are', () => {
  const zone = fc.constantFrom(
    'UTC',
    'Europe/Berlin',
    'America/Lima',
    'Asia/Kathmandu',
    'Australia/Lord_Howe',
  )
  const changes = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 27 }), zone), {
    selector: ([day]) => day,
    maxLength: 5,
  })
  fc.assert(
    fc.property(changes, fc.integer({ min: 0, max: 11 }), (chosen, month) => {
      const name = (day: number): string => new Date(Date.UTC(2026, month, day)).toISOString().slice(0, 10)
      const zones = chosen.toSorted(([a], [b]) => a - b).map(([day, zone]) => ({ from: name(day), zone }))
      let before = ''
      for (let hour = -48; hour < 31 * 24; hour += 1) {
        const { day } = billingDay(zones, Date.UTC(2026, month, 1, hour))
        expect(day >= before).toBe(true)
        before = day
      }
    }),
    { numRuns: 20 },
  )
})
