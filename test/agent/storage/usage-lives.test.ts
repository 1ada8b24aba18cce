import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Zones } from '../../../agent/metering/index.ts'
import type { Subject, UsageRecord } from '../../../cloud-sync/contract/index.ts'
import { checkDayCloses } from '../../support/day-closes.ts'
import { MeteredLedger, ownerOf, postedFrom, sumsBy, zonesOf } from '../../support/metered-ledger.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const acme = ownerOf('acme')
const borealis = ownerOf('borealis')
const tilt = 'sensor:tilt/main' as Subject
const level = 'sensor:level/main' as Subject

type Step =
  | { readonly kind: 'read' | 'reboot' | 'step' | 'pass'; readonly ms: number }
  | { readonly kind: 'sync' | 'lose' | 'restart' | 'cloud' | 'owner' }
const aLength = fc.constantFrom(1_000, MINUTE, 50 * MINUTE, 3 * HOUR, 20 * HOUR, 70 * HOUR)
const aStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('read' as const), ms: aLength }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('pass' as const, 'reboot' as const), ms: aLength }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('step' as const),
      ms: fc.integer({ min: -400 * 24 * HOUR, max: 400 * 24 * HOUR }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('sync', 'lose', 'restart', 'cloud', 'owner') }) },
)
const someZones = fc.constantFrom<Zones>(
  new Map(),
  zonesOf('acme', ['2026-01-01', 'Europe/Berlin']),
  zonesOf('acme', ['2026-11-22', 'Pacific/Kiritimati'], ['2026-11-23', 'Pacific/Pago_Pago']),
  new Map([
    ...zonesOf('borealis', ['2026-11-23', 'America/Lima']),
    ...zonesOf('acme', ['2026-11-22', 'Asia/Kathmandu']),
  ]),
)

/** Plays a life of the gateway with a machine whose true time only the test knows. */
function live(steps: readonly Step[], zones: Zones): { records: UsageRecord[]; counted: bigint } {
  const gateway = new MeteredLedger({ zones })
  const { machine } = gateway
  let trueMs = machine.wall
  let owner = acme
  let counted = 0n
  const pass = (ms: number): void => {
    machine.pass(ms)
    trueMs += ms
  }
  const does: Record<Step['kind'], (ms: number) => void> = {
    read(ms) {
      pass(ms)
      gateway.commit([
        { subject: tilt, owner, count: 3 },
        { subject: level, owner: borealis, count: 1 },
      ])
      counted += 4n
    },
    pass,
    reboot(ms) {
      trueMs += ms
      machine.reboot(ms, ms % 2_000 === 0)
      gateway.restart()
    },
    step(ms) {
      machine.wall += ms
      machine.isSynced = false
    },
    sync() {
      machine.wall = trueMs
      machine.isSynced = true
    },
    lose() {
      machine.isSynced = false
    },
    restart() {
      gateway.restart()
    },
    cloud() {
      gateway.clock.learn(trueMs)
    },
    owner() {
      gateway.ledger.closeAtNextCommit()
      owner = owner === acme ? ownerOf('borealis', 2) : acme
    },
  }
  try {
    for (const step of steps) does[step.kind]('ms' in step ? step.ms : 0)
    // At last it is known what time it is, and a day later everything is reported.
    gateway.clock.learn(trueMs)
    gateway.commit([])
    pass(49 * HOUR)
    gateway.commit([])
    return { records: gateway.records(), counted }
  } finally {
    gateway.close()
  }
}

const LIVES = { numRuns: 30 }

test('I11 no clock step brings a day back or changes what the days sum to', () => {
  fc.assert(
    fc.property(fc.array(aStep, { maxLength: 40 }), someZones, (steps, zones) => {
      const { records, counted } = live(steps, zones)
      for (const org of ['acme', 'borealis']) {
        const stamped = records.flatMap((one) =>
          one.org === org && one.kind === 'interval' && one.time.day !== null ? [one.time.day] : [],
        )
        expect(stamped).toEqual(stamped.toSorted())
      }
      const readings = postedFrom(records).filter(({ meter }) => meter === 'sensor.readings')
      expect(readings.reduce((sum, { by }) => sum + by, 0n)).toBe(counted)
      // The time being known at last, nothing is left without a day.
      expect(sumsBy(readings, ({ day }) => day ?? 'none').get('none') ?? 0n).toBe(0n)
    }),
    LIVES,
  )
})

test('I12 whatever clock, zone, owner and power do, a sensor has a day once, and every day that is over is closed', () => {
  fc.assert(
    fc.property(fc.array(aStep, { maxLength: 40 }), someZones, (steps, zones) => {
      const { records } = live(steps, zones)
      const sensorDays = sumsBy(
        postedFrom(records).filter(({ meter }) => meter === 'sensor.active_day'),
        ({ subject, day }) => `${subject} ${day ?? 'none'}`,
      )
      expect([...sensorDays.values()].every((count) => count === 1n)).toBe(true)
      checkDayCloses(records)
      const used = new Set(
        postedFrom(records).flatMap(({ org, day, by }) => (day !== null && by > 0n ? [`${org} ${day}`] : [])),
      )
      const closed = records.flatMap(({ kind, org, time }) =>
        kind === 'day_close' ? [`${org} ${time.day ?? ''}`] : [],
      )
      expect(closed.toSorted()).toEqual([...used].toSorted())
    }),
    LIVES,
  )
})
