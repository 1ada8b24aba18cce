import { type GatewayId, type Meter, type OrgId, shareOf } from '../../../contract/index.ts'
import { DaySums, type Place, type UsageDay } from './day-sums.ts'
import type { Db } from './open.ts'
import { halves, ofRecord, whole } from './sums.ts'

export interface DaysAsked {
  readonly org: OrgId
  /** Whose usage counts: nobody is billed for what a stranger's gateway says. Absent = every gateway's. */
  readonly gateways?: readonly GatewayId[] | undefined
  /** First and last day; both absent = all, what has no day yet as well. */
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly meters?: readonly Meter[] | undefined
  /** Only what was posted before this turn (turns.ts): what a rating run took. */
  readonly postedBefore?: number | undefined
}

/** Days by their postings, in order of day, gateway, subject, meter and payer. */
export async function usageDays(db: Db, asked: DaysAsked): Promise<UsageDay[]> {
  if (asked.gateways?.length === 0) return []
  const sums = new DaySums(asked.org)
  // Day by day: no more than the postings of one day are held, and others have their turn between two.
  for (const day of await daysNamed(db, asked)) {
    for (const row of await dated(db, asked, day)) sums.add(row, day, whole(row.high, row.low))
  }
  await addLabelled(db, asked, sums)
  return sums.inOrder()
}

/** The same without what has no day: what rating takes. */
export async function dayFacts(db: Db, asked: DaysAsked): Promise<(UsageDay & { readonly day: string })[]> {
  const days = await usageDays(db, asked)
  return days.filter((day): day is UsageDay & { day: string } => day.day !== null)
}

const PAYER = ['p.gateway', 'p.subject', 'p.meter', 'p.custodian', 'p.workspace', 'p.billable'] as const

/** Postings `p` with their records `r`. */
export function postings(db: Db, { org, gateways, meters, postedBefore }: DaysAsked) {
  return db
    .selectFrom('usage_record as r')
    .innerJoin('usage_posting as p', ofRecord)
    .where('r.org', '=', org)
    .$if(gateways !== undefined, (query) => query.where('p.gateway', 'in', gateways ?? []))
    .$if(meters !== undefined, (query) => query.where('p.meter', 'in', meters ?? []))
    .$if(postedBefore !== undefined, (query) => query.where('r.posted', '<', postedBefore ?? 0))
}

/** Days that records have from the beginning, in order. */
async function daysNamed(db: Db, { org, from, to }: DaysAsked): Promise<string[]> {
  const rows = await db
    .selectFrom('usage_record')
    .where('org', '=', org)
    .where('day', 'is not', null)
    .$if(from !== undefined, (query) => query.where('day', '>=', from ?? ''))
    .$if(to !== undefined, (query) => query.where('day', '<=', to ?? ''))
    .select('day')
    .distinct()
    .orderBy('day')
    .execute()
  return rows.flatMap(({ day }) => day ?? [])
}

/** Postings of one of these days. They are not summed by the database, which sorts them by every column for that. */
function dated(db: Db, asked: DaysAsked, day: string) {
  return postings(db, asked)
    .where('r.day', '=', day)
    .select(['r.network', ...PAYER, ...halves('p.quantity')])
    .execute()
}

/** Postings of records without a day, each with every label `a` it was given; one without where there is none. */
export function labels(db: Db, asked: DaysAsked) {
  return postings(db, asked)
    .leftJoin('usage_day_assign as a', (join) =>
      join
        .onRef('a.gateway', '=', 'r.gateway')
        .onRef('a.of_epoch', '=', 'r.epoch')
        .onRef('a.corrects', '=', 'r.seq')
        .on((eb) => eb('a.posted', '<', asked.postedBefore ?? Number.MAX_SAFE_INTEGER)),
    )
    .where('r.day', 'is', null)
}

/** What had no day: whole or by stretches the days it was given since, and without a range what nobody gave a day. */
async function addLabelled(db: Db, asked: DaysAsked, sums: DaySums): Promise<void> {
  const { from, to } = asked
  const rows = await labels(db, asked)
    .select([
      'a.day',
      'r.network',
      ...PAYER,
      'a.share_from',
      'a.share_to',
      'a.share_of',
      'p.epoch',
      'p.seq',
      'p.gen',
    ])
    .select((eb) => eb.cast<string>('p.quantity', 'text').as('quantity'))
    .execute()
  const left = new Map<string, { row: Place; quantity: bigint }>()
  for (const row of rows) {
    const quantity = BigInt(row.quantity)
    const name = JSON.stringify([row.gateway, row.epoch, row.seq, row.meter, row.subject, row.gen])
    const share = shareIn(quantity, row)
    const before = left.get(name)?.quantity ?? quantity
    left.set(name, { row, quantity: before - share })
    if (row.day !== null && within(row.day, { from, to })) sums.add(row, row.day, share)
  }
  if (from !== undefined || to !== undefined) return
  for (const { row, quantity } of left.values()) sums.add(row, null, quantity)
}

export const within = (day: string, { from, to }: Pick<DaysAsked, 'from' | 'to'>): boolean =>
  (from === undefined || day >= from) && (to === undefined || day <= to)

interface Label {
  readonly day: string | null
  readonly share_from: number | null
  readonly share_to: number | null
  readonly share_of: number | null
}

/** What a label gives its day; nothing where there is none. */
export function shareIn(quantity: bigint, { day, share_from, share_to, share_of }: Label): bigint {
  if (day === null) return 0n
  return shareOf(quantity, { epoch: null, from: share_from ?? 0, to: share_to ?? 1, of: share_of ?? 1 })
}
