import { expect, test } from 'vitest'
import { csvRows } from '../../../../agent/cli/ledger/reconcile/csv.ts'
import { carrierMonths } from '../../../../agent/cli/ledger/reconcile/carrier.ts'
import { differencePercent, reconcile } from '../../../../agent/cli/ledger/reconcile/compare.ts'
import { type CarrierProfile, carrierProfile } from '../../../../agent/cli/ledger/reconcile/profile.ts'
import { monthlyKey, simOf } from '../../../../agent/cli/ledger/reconcile/sim.ts'

const plain = carrierProfile(undefined)
const SIM = '8988303000001234567'

async function* piecesOf(text: string, size: number): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += size) yield await Promise.resolve(text.slice(at, at + size))
}

async function gathered<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

test('rows of a CSV are the same however the file comes, with quotes as RFC 4180 has them', async () => {
  const text = 'a,"b ""x"", c"\r\n\n1,"two\nlines"\r\n,\n"",z'
  const rows = [
    ['a', 'b "x", c'],
    ['1', 'two\nlines'],
    ['', ''],
    ['', 'z'],
  ]
  for (const size of [1, 2, 3, 100]) expect(await gathered(csvRows(piecesOf(text, size), ','))).toEqual(rows)
})

const months = (text: string, profile: CarrierProfile = plain) => carrierMonths(piecesOf(text, 10), profile)

test.for<[string, string, Partial<CarrierProfile>, bigint]>([
  ['bytes', `iccid,date,bytes\n${SIM},2026-11-03,1200\n${SIM},2026-11-30,34\n`, {}, 1234n],
  ['decimals of a unit', `iccid,date,bytes\n${SIM},2026-11-03T10:00:00Z,1.5\n`, { unit: 'MiB' }, 1_572_864n],
  [
    'two columns, another delimiter, days before months',
    `ICCID;Start;Up;Down\n"${SIM}";21.11.2026;10;2\n`,
    {
      columns: { sim: 'ICCID', at: 'Start', volume: ['Up', 'Down'] },
      delimiter: ';',
      dates: 'dmy',
      unit: 'kB',
    },
    12_000n,
  ],
  ['months before days', `iccid,date,bytes\n${SIM},11/2/2026,7\n`, { dates: 'mdy' }, 7n],
  ['seconds since 1970', `iccid,date,bytes\n${SIM},1794000000,7\n`, { dates: 'unix' }, 7n],
  ['milliseconds since 1970', `iccid,date,bytes\n${SIM},1794000000000,7\n`, { dates: 'unix' }, 7n],
  [
    'more than a double holds',
    `iccid,date,bytes\n${SIM},2026-11,9007199254740993\n`,
    {},
    9_007_199_254_740_993n,
  ],
  ['a SIM as it is printed', '\uFEFFiccid,date,bytes\n8988 3030 0000 1234 5678F,2026-11-01,5\n', {}, 5n],
])("a carrier's file is added up: %s", async ([, text, profile, bytes]) => {
  const found = await months(text, { ...plain, ...profile })
  expect(found.get(monthlyKey(SIM, '2026-11'))?.bytes).toBe(bytes)
})

test.for([
  ['an empty file', '', 'the file is empty'],
  [
    'a column that is not there',
    'iccid,day,bytes\n',
    'row 1: there is no column date among iccid, day, bytes',
  ],
  ['a volume that is none', `iccid,date,bytes\n${SIM},2026-11-01,-4\n`, 'row 2: -4 is no volume'],
  ['a date that is none', `iccid,date,bytes\n${SIM},yesterday,4\n`, 'row 2: yesterday is no date'],
  ['a month that is none', `iccid,date,bytes\n${SIM},2026-13-01,4\n`, 'row 2: 2026-13-01 has no month 13'],
  ['a file without an end of a row', `iccid,date,bytes\n"${'x'.repeat(70_000)}`, 'row 1: a row has no end'],
] as const)('%s is refused with its row', async ([, text, sentence]) => {
  await expect(months(text)).rejects.toMatchObject({
    code: 'CDR_INVALID',
    message: expect.stringContaining(sentence) as string,
  })
})

test.for([
  ['8988303000001234567', '89883030000012345678'],
  ['8988303000001234567', '8988-3030-0000-1234-567F'],
  ['wwan0', 'wwan0'.toUpperCase()],
] as const)('%s is %s', ([a, b]) => {
  expect(simOf(a)).toBe(simOf(b))
})

const rounding = (step: number, per: 'session' | 'month') => ({ rounding: { step, per } })
test.for<[string, bigint, bigint, Partial<CarrierProfile>, string]>([
  ['the same', 1_000n, 1_000n, { band: 0 }, 'within'],
  ['one byte more than the band', 1_000n, 1_051n, {}, 'over'],
  ['the band exactly', 1_000n, 1_050n, {}, 'within'],
  ['one byte less than the band', 1_000n, 949n, {}, 'under'],
  [
    'the overhead that is agreed',
    30_000n,
    35_400n,
    { band: 0, overhead: { perPacket: 54, packetBytes: 300 } },
    'within',
  ],
  ['more than that', 30_000n, 35_401n, { band: 0, overhead: { perPacket: 54, packetBytes: 300 } }, 'over'],
  ['a month rounded up', 127_000n, 200_000n, { band: 0, ...rounding(100_000, 'month') }, 'within'],
  ['a month rounded down', 127_000n, 100_000n, { band: 0, ...rounding(100_000, 'month') }, 'under'],
  ['each of three sessions rounded up', 100n, 3_072n, { band: 0, ...rounding(1_024, 'session') }, 'within'],
  ['more than three sessions can be', 100n, 5_121n, { band: 0, ...rounding(1_024, 'session') }, 'over'],
])('what the carrier billed: %s', ([, metered, billed, profile, verdict]) => {
  const [sim, month] = [SIM, '2026-11']
  const key = monthlyKey(sim, month)
  const [found] = reconcile(
    new Map([[key, { sim, month, bytes: metered, gateways: ['GW-1'] }]]),
    new Map([[key, { sim, month, bytes: billed, sessions: 3 }]]),
    { ...plain, ...profile },
  )
  expect(found?.verdict).toBe(verdict)
})

test('SIMs that only one side knows are named, by month', () => {
  const ours = { sim: SIM, month: '2026-11', bytes: 5n, gateways: ['GW-1'] }
  const theirs = { sim: SIM, month: '2026-12', bytes: 6n, sessions: 1 }
  const found = reconcile(new Map([['2026-11 a', ours]]), new Map([['2026-12 a', theirs]]), plain)
  expect(found.map(({ month, verdict }) => [month, verdict])).toEqual([
    ['2026-11', 'not-billed'],
    ['2026-12', 'not-metered'],
  ])
  expect(found.map(differencePercent)).toEqual([-100, null])
})
