import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sealRecord, verifyChain } from '../../../cloud-sync/codec/index.ts'
import {
  type Epoch,
  type GatewayId,
  type MemberName,
  METERS,
  type OrgId,
  type SealedRecord,
  type Subject,
  type UsageRecord,
  ZERO_HASH,
} from '../../../cloud-sync/contract/index.ts'
import {
  chained,
  endOf,
  intervalDrafts,
  type Increment,
  type Interval,
  Meters,
  type Moment,
  openInterval,
  type Owner,
  type Register,
  RegisterBook,
  restate,
} from '../../../agent/metering/index.ts'

const ownerOf = (org: string, ownerEpoch = 1): Owner => ({
  org: org as OrgId,
  ownerEpoch,
  custodian: null,
  workspace: null,
})
const acme = ownerOf('acme')
const borealis = ownerOf('borealis')
const subject = 'sensor:tilt/main' as Subject
const stamp = { gw: 'GW-1' as GatewayId, epoch: '0'.repeat(32) as Epoch, aclVersion: 1, sw: '1', cfg: 'c' }
const moment = (of: Partial<Moment> = {}): Moment => ({
  monoMs: 0,
  wallMs: 0,
  clock: 'synced',
  maxErrMs: 0,
  day: '2026-11-21',
  trustedMs: Date.UTC(2026, 10, 21),
  ...of,
})
const first = openInterval(moment(), 'boot-1', { before: null })

/** A gateway in miniature: plan and apply, close, start again from what was stored. */
class Ledger {
  book = new RegisterBook()
  records: SealedRecord[] = []

  add(increments: readonly Increment[]): void {
    this.book.apply(this.book.plan(increments))
  }

  close(interval: Interval = first): void {
    const moved = this.book.moved()
    const head = { next: this.records.length + 1, hash: this.records.at(-1)?.hash ?? ZERO_HASH }
    const closing = { interval, end: { monoMs: 1, wallMs: 1 }, moved, q: 0 }
    const drafts = intervalDrafts(closing).map(({ draft }) => draft)
    this.records.push(...chained(drafts, stamp, { head, seal: sealRecord }))
    this.book.apply(moved.map((register) => ({ ...register, reported: register.end })))
  }

  restart(): void {
    this.book = new RegisterBook(this.book.all())
  }
}

const anIncrement = fc.record({
  meter: fc.constantFrom('sensor.readings', 'sensor.values', 'sensor.payload_bytes'),
  subject: fc.constantFrom(subject, 'sensor:level/main' as Subject),
  owner: fc.constantFrom(acme, borealis, ownerOf('acme', 2), { ...acme, custodian: 'ana' as MemberName }),
  // Beyond 2^53, where a double would round.
  by: fc.bigInt(0n, 2n ** 56n),
}) as fc.Arbitrary<Increment>
const aStory = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.array(anIncrement, { maxLength: 6 }) },
    { weight: 1, arbitrary: fc.constant('close' as const) },
    { weight: 1, arbitrary: fc.constant('restart' as const) },
  ),
  { maxLength: 30 },
)

function play(story: readonly ('close' | 'restart' | Increment[])[]): {
  ledger: Ledger
  total: Map<string, bigint>
} {
  const ledger = new Ledger()
  const total = new Map<string, bigint>()
  for (const step of story) {
    if (step === 'close') ledger.close()
    else if (step === 'restart') ledger.restart()
    else {
      ledger.add(step)
      for (const { meter, owner, by } of step) {
        const key = `${meter} ${owner.org}`
        total.set(key, (total.get(key) ?? 0n) + by)
      }
    }
  }
  ledger.close()
  return { ledger, total }
}

/** Sums of end - start by meter and organisation, start = the previous end of the same register. */
function billed(records: readonly UsageRecord[]): Map<string, bigint> {
  const ends = new Map<string, bigint>()
  const sums = new Map<string, bigint>()
  for (const { org, registers } of records) {
    for (const { meter, subject: whose, gen, end } of registers) {
      const register = `${meter} ${whose} ${gen}`
      const start = ends.get(register) ?? 0n
      if (end < start) throw new Error(`${register} fell`)
      ends.set(register, end)
      sums.set(`${meter} ${org}`, (sums.get(`${meter} ${org}`) ?? 0n) + end - start)
    }
  }
  return sums
}

const positive = (sums: Map<string, bigint>): [string, bigint][] =>
  [...sums].filter(([, sum]) => sum > 0n).toSorted(([a], [b]) => (a < b ? -1 : 1))

test('I5 whatever is counted, closed and restarted, the deltas sum to it for each organisation', () => {
  fc.assert(
    fc.property(aStory, (story) => {
      const { ledger, total } = play(story)
      expect(positive(billed(ledger.records.map(({ record }) => record)))).toEqual(positive(total))
    }),
  )
})

test('I3 a register starts where it ended, a generation at 0', () => {
  fc.assert(
    fc.property(aStory, (story) => {
      const { ledger } = play(story)
      const rows = ledger.records.flatMap(({ record }) => record.registers)
      const ends = new Map<string, bigint>()
      const counted = new Map<string, bigint>()
      for (const { meter, subject: whose, gen, end } of rows) {
        const register = `${meter} ${whose} ${gen}`
        expect(end).toBeGreaterThan(ends.get(register) ?? 0n)
        ends.set(register, end)
      }
      // Nothing is in a register but what was put there: so it began at 0, and where it had ended.
      for (const { meter, subject: whose, gen, end } of ledger.book.all())
        counted.set(`${meter} ${whose} ${gen}`, end)
      expect(ends).toEqual(counted)
      // A generation follows the one before without a hole, and none is gone on with.
      const newest = new Map<string, number>()
      for (const { meter, subject: whose, gen } of ledger.book.all().toSorted((a, b) => a.id - b.id)) {
        expect(gen).toBe((newest.get(`${meter} ${whose}`) ?? -1) + 1)
        newest.set(`${meter} ${whose}`, gen)
      }
    }),
  )
})

test('I4 a register never decreases in any order of counting, closing and restarting', () => {
  fc.assert(
    fc.property(aStory, (story) => {
      const ledger = new Ledger()
      let before = new Map<number, bigint>()
      for (const step of story) {
        if (step === 'close') ledger.close()
        else if (step === 'restart') ledger.restart()
        else ledger.add(step)
        const now = new Map(ledger.book.all().map(({ id, end }) => [id, end]))
        for (const [id, end] of before) expect(now.get(id)).toBeGreaterThanOrEqual(end)
        before = now
      }
    }),
  )
})

test('I2 numbers are contiguous from 1 and every hash follows', () => {
  fc.assert(
    fc.property(aStory, (story) => {
      const { ledger } = play(story)
      expect(ledger.records.map(({ record }) => record.seq)).toEqual(ledger.records.map((_, n) => n + 1))
      expect(verifyChain(ledger.records, ZERO_HASH).ok).toBe(true)
    }),
  )
})

test('I18 after a fork at any record, confirmed and re-issued usage together are what was counted', () => {
  fc.assert(
    fc.property(aStory, fc.nat(), aStory, (story, cut, later) => {
      const { ledger, total } = play(story)
      const confirmedCount = ledger.records.length === 0 ? 0 : cut % (ledger.records.length + 1)
      const old = ledger.records.map(({ record }) => record)
      const confirmed = old.slice(0, confirmedCount)
      const ends = new Map<string, bigint>()
      for (const row of confirmed.flatMap(({ registers }) => registers)) {
        ends.set(`${row.meter} ${row.subject} ${row.gen}`, row.end)
      }
      const confirmedEnd = ({ meter, subject: whose, gen }: Register): bigint =>
        ends.get(`${meter} ${whose} ${gen}`) ?? 0n
      const restated = restate(ledger.book.all(), {
        confirmed: confirmedEnd,
        firstId: 10_000,
        epoch: 'e'.repeat(32) as Epoch,
      })
      const again = old
        .slice(confirmedCount)
        .map((record) => ({ ...record, registers: restated.reissue(record.registers, 0) }))
      ledger.book.apply([...restated.retired, ...restated.born])
      ledger.records = []
      for (const step of later) if (typeof step !== 'string') ledger.add(step)
      ledger.close()
      const sums = billed(confirmed)
      // One new epoch: what was issued again and what came after it.
      for (const [key, sum] of billed([...again, ...ledger.records.map(({ record }) => record)])) {
        sums.set(key, (sums.get(key) ?? 0n) + sum)
      }
      for (const { meter, owner, by } of later.filter((step) => typeof step !== 'string').flat()) {
        total.set(`${meter} ${owner.org}`, (total.get(`${meter} ${owner.org}`) ?? 0n) + by)
      }
      expect(positive(sums)).toEqual(positive(total))
    }),
  )
})

test('I11 days never go back, whatever the clock does, also over an unsynced stretch', () => {
  const aDay = fc.constantFrom(null, '2026-11-20', '2026-11-21', '2026-11-22', '1970-01-01')
  fc.assert(
    fc.property(fc.array(aDay), (days) => {
      let interval: Interval | null = null
      const labels: string[] = []
      for (const day of days) {
        interval = openInterval(moment({ day }), 'boot', { before: interval })
        if (interval.day !== null) labels.push(interval.day)
      }
      expect(labels).toEqual(labels.toSorted())
    }),
  )
})

test('I12 a sensor-day is counted once a day, for the owner at its first reading', () => {
  const book = new RegisterBook()
  const day = (owner: Owner, label: string): void => {
    const meters = new Meters()
    meters.count(subject, owner, { value: 1, quality: 'good', derived: false, payloadBytes: 0 })
    book.apply(book.plan(meters.increments(() => label)))
  }
  for (const [owner, label] of [
    [acme, '2026-11-21'],
    [acme, '2026-11-21'],
    [borealis, '2026-11-21'],
    [borealis, '2026-11-22'],
    [acme, '2026-11-22'],
    [acme, '2026-11-21'],
  ] as const) {
    day(owner, label)
  }
  const days = book.all().filter(({ meter }) => meter === 'sensor.active_day')
  expect(days.map(({ org, end }) => [org, end])).toEqual([
    ['acme', 1n],
    ['borealis', 1n],
  ])
})

const counting: [string, Parameters<Meters['count']>[2], number, number][] = [
  ['a good value', { value: 1, quality: 'good', derived: false, payloadBytes: 2 }, 1, 1],
  ['an uncertain value', { value: 1, quality: 'uncertain', derived: false, payloadBytes: 2 }, 1, 1],
  ['a derived value', { value: 1, quality: 'good', derived: true, payloadBytes: 0 }, 0, 1],
  ['a bad value', { value: 1, quality: 'bad', derived: false, payloadBytes: 2 }, 0, 1],
  ['no value', { value: null, quality: 'bad', derived: false, payloadBytes: 0 }, 0, 0],
  ['zero', { value: 0, quality: 'good', derived: false, payloadBytes: 2 }, 1, 1],
]
test.for(counting)('%s is counted by the rule', ([, reading, readings, values]) => {
  const meters = new Meters()
  meters.count(subject, acme, reading)
  const by = (meter: string): bigint | undefined =>
    meters.increments(() => null).find((one) => one.meter === meter)?.by
  expect([by('sensor.readings'), by('sensor.values')]).toEqual([BigInt(readings), BigInt(values)])
})

test('what the gateway measures of itself is counted and billed to nobody, in registers of its own', () => {
  const book = new RegisterBook()
  const count = (billable: boolean | undefined): void => {
    const meters = new Meters()
    const reading = { value: 1, quality: 'good', derived: false, payloadBytes: 2 } as const
    meters.count(subject, acme, billable === undefined ? reading : { ...reading, billable })
    book.apply(book.plan(meters.increments(() => '2026-11-21')))
  }
  for (const billable of [undefined, false, false, true]) count(billable)
  const readings = book.all().filter(({ meter }) => meter === 'sensor.readings')
  expect(readings.map(({ gen, billable, end }) => [gen, billable, end])).toEqual([
    [0, true, 1n],
    [1, false, 2n],
    [2, true, 1n],
  ])
})

test('an interval ends by the monotonic clock or by a new day, never by the wall clock', () => {
  const hour = { lengthMs: 3_600_000 }
  expect(endOf(first, moment({ wallMs: 10 * hour.lengthMs }), hour)).toBeNull()
  expect(endOf(first, moment({ wallMs: -10 * hour.lengthMs }), hour)).toBeNull()
  expect(endOf(first, moment({ monoMs: hour.lengthMs }), hour)).toBe('due')
  expect(endOf(first, moment({ day: '2026-11-22' }), hour)).toBe('day')
  expect(endOf(first, moment({ day: '2026-11-20' }), hour)).toBeNull()
})

test('an organisation with very many registers gets several records, each within its limit', () => {
  const ledger = new Ledger()
  ledger.add(
    Array.from({ length: 700 }, (_, n) => ({
      meter: METERS[0],
      subject: `sensor:device-${String(n)}/main` as Subject,
      owner: acme,
      by: 1n,
    })),
  )
  ledger.close()
  expect(ledger.records.map(({ record }) => record.registers.length)).toEqual([512, 188])
})
