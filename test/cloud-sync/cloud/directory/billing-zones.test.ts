import fc from 'fast-check'
import { expect, test } from 'vitest'
import { zonesWith } from '../../../../cloud-sync/cloud/directory/organisations/billing-zones.ts'
import { billingDay, type OrgId, type Subject, type ZoneFrom } from '../../../../cloud-sync/contract/index.ts'
import { MeteredLedger } from '../../../support/metered-ledger.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const [EAST, WEST] = ['Pacific/Kiritimati', 'Pacific/Niue']
const ACME = 'acme' as OrgId

const begins: [string, string, string][] = [
  ['in the middle of a month', '2026-06-15T12:00Z', '2026-07-01'],
  ['on the last day but one of a month', '2026-06-29T09:00Z', '2026-07-01'],
  ['on the last day of a month, too late for gateways to hear', '2026-06-30T12:00Z', '2026-08-01'],
  ['when the month has begun there, though not here', '2026-06-29T11:00Z', '2026-08-01'],
]
test.for(begins)('a zone chosen %s takes effect with a month that has begun nowhere', ([, at, from]) => {
  expect(zonesWith([], EAST, Date.parse(at))).toEqual([{ from, zone: EAST }])
})

test('what has not begun is replaced, and the zone that is in force is no change', () => {
  const at = Date.parse('2026-06-15T12:00Z')
  const chosen = zonesWith([], 'Europe/Berlin', at)
  expect(zonesWith(chosen, 'Asia/Tokyo', at)).toEqual([{ from: '2026-07-01', zone: 'Asia/Tokyo' }])
  expect(zonesWith(chosen, 'UTC', at)).toEqual([])
  const later = Date.parse('2026-07-15T12:00Z')
  expect(zonesWith(zonesWith(chosen, 'Asia/Tokyo', later), 'Europe/Berlin', later)).toEqual(chosen)
})

test('a zone that is a day or more away is refused, and reached by one in between', () => {
  const at = Date.parse('2026-06-15T12:00Z')
  const zones = [{ from: '2026-01-01', zone: WEST }]
  expect(() => zonesWith(zones, EAST, at)).toThrow(
    expect.objectContaining({ code: 'DIRECTORY_ZONE_TOO_FAR' }),
  )
  const between = zonesWith(zones, 'UTC', at)
  expect(zonesWith(between, EAST, Date.parse('2026-07-15T12:00Z'))).toHaveLength(3)
})

test('whatever zones are asked for and whenever, no day is lost, none is there twice, and there are as many as go by', () => {
  const zone = fc.constantFrom(EAST, WEST, 'UTC', 'Asia/Tokyo', 'America/Los_Angeles', 'Australia/Lord_Howe')
  const asked = fc.array(fc.tuple(zone, fc.integer({ min: 1, max: 40 * 24 })), { maxLength: 8 })
  fc.assert(
    fc.property(asked, (wishes) => {
      const start = Date.parse('2026-03-03T00:00Z')
      let zones: ZoneFrom[] = []
      let day = billingDay(zones, start).day
      let days = 1
      let at = start
      for (const [wish, hours] of wishes) {
        zones = asAllowed(zones, wish, at)
        for (const end = at + hours * HOUR_MS; at < end; at += HOUR_MS) {
          const label = billingDay(zones, at).day
          if (label <= day) continue
          expect(Date.parse(label) - Date.parse(day)).toBe(DAY_MS)
          days += 1
          day = label
        }
      }
      // Between any two moments as many days as there are in either zone.
      expect(Math.abs(days - (at - start) / DAY_MS)).toBeLessThanOrEqual(2)
    }),
    { numRuns: 30 },
  )
})

function asAllowed(zones: ZoneFrom[], wish: string, at: number): ZoneFrom[] {
  try {
    return zonesWith(zones, wish, at)
  } catch (error) {
    expect(error).toMatchObject({ code: 'DIRECTORY_ZONE_TOO_FAR' })
    return zones
  }
}

test('I12 zones that are flipped as often as anybody can give a gateway the sensor-days that one zone gives', () => {
  const read = (flips: boolean): bigint => {
    let zones: ZoneFrom[] = [{ from: '2026-01-01', zone: EAST }]
    const metered = new MeteredLedger({ zones: new Map([[ACME, zones]]) })
    const owner = { org: ACME, ownerEpoch: 1, custodian: null, workspace: null }
    metered.machine.pass(12 * HOUR_MS)
    const end = metered.machine.wall + 36 * DAY_MS
    for (let hour = 0; metered.machine.wall < end; hour += 1) {
      // Every 28 and 20 hours in turn, which halved the days when each change took effect with the next day.
      if (flips && (hour % 48 === 0 || hour % 48 === 28)) {
        zones = asAllowed(zones, hour % 48 === 0 ? WEST : EAST, metered.machine.wall)
        metered.zones = new Map([[ACME, zones]])
      }
      metered.commit([{ subject: 'sensor:a/main' as Subject, owner, count: 1 }])
      metered.machine.pass(HOUR_MS)
    }
    const days = metered.ledger.registers().filter(({ meter }) => meter === 'sensor.active_day')
    metered.close()
    return days.reduce((sum, { end: count }) => sum + count, 0n)
  }
  expect(read(true)).toBe(read(false))
})
