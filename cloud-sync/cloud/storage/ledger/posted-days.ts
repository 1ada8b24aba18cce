import { sql } from 'kysely'
import type { Epoch, GatewayId, Meter } from '../../../contract/index.ts'
import { type DaysAsked, labels, postings, shareIn, within } from './day-facts.ts'
import type { Db } from './open.ts'

/** One posting, or the stretch of one that a day got since. */
export interface PostedDay {
  readonly gateway: GatewayId
  readonly epoch: Epoch
  readonly seq: number
  readonly wall_end: number
  /** Of the record, or, where that had no day, of the one that gave it this. */
  readonly received_at: number
  /** Turn of the transaction that posted it, or the record that gave it its day. */
  readonly posted: number
  readonly day: string
  /** The record that gave it its day; null where it had one from the beginning. */
  readonly label: { readonly epoch: Epoch; readonly seq: number } | null
  readonly meter: Meter
  readonly subject: string
  readonly custodian: string | null
  readonly workspace: string | null
  readonly billable: boolean
  readonly quantity: bigint
}

const PARTS = [
  ...(['p.gateway', 'p.epoch', 'p.seq', 'p.meter', 'p.subject'] as const),
  ...(['p.custodian', 'p.workspace', 'p.billable', 'r.wall_end', 'r.received_at', 'r.posted'] as const),
] as const

/** Every posting of some days with what its record says, in the order in which that became known. */
export async function postedDays(
  db: Db,
  asked: DaysAsked & { from: string; to: string; postedFrom?: number | undefined },
): Promise<PostedDay[]> {
  if (asked.gateways?.length === 0) return []
  const since = asked.postedFrom ?? 0
  const quantity = sql<string>`cast(p.quantity as text)`.as('quantity')
  const dated = await postings(db, asked)
    .where('r.day', '>=', asked.from)
    .where('r.day', '<=', asked.to)
    .where('r.posted', '>=', since)
    .select([...PARTS, 'r.day', quantity])
    .execute()
  const labelled = await labels(db, asked)
    .where((eb) => eb.or([eb('r.posted', '>=', since), eb('a.posted', '>=', since)]))
    .select([...PARTS, 'a.day', 'a.share_from', 'a.share_to', 'a.share_of', quantity])
    .select([
      'a.epoch as label_epoch',
      'a.seq as label_seq',
      'a.received_at as labelled_at',
      'a.posted as labelled',
    ])
    .execute()
  const posted: PostedDay[] = dated.flatMap((row) =>
    row.day === null ? [] : [{ ...postedOf(row, row.day, BigInt(row.quantity)), label: null }],
  )
  for (const row of labelled) {
    const { day, label_epoch: epoch, label_seq: seq } = row
    if (day === null || epoch === null || seq === null || !within(day, asked)) continue
    const one = postedOf(row, day, shareIn(BigInt(row.quantity), row))
    posted.push({
      ...one,
      received_at: Math.max(row.received_at, row.labelled_at ?? 0),
      posted: Math.max(row.posted, row.labelled ?? 0),
      label: { epoch: epoch as Epoch, seq },
    })
  }
  return posted.sort((a, b) => a.posted - b.posted || (order(a) < order(b) ? -1 : 1))
}

/** The same for whoever reads, where several became known by one turn. */
const order = ({ gateway, epoch, seq, meter, subject, day, label }: PostedDay): string =>
  [gateway, epoch, digits(seq), meter, subject, day, label?.epoch, digits(label?.seq ?? 0)].join('\n')
const digits = (seq: number): string => String(seq).padStart(16, '0')

type Row = Omit<PostedDay, 'gateway' | 'epoch' | 'meter' | 'billable' | 'quantity' | 'day' | 'label'> & {
  readonly gateway: string
  readonly epoch: string
  readonly meter: string
  readonly billable: number
}

function postedOf(row: Row, day: string, quantity: bigint): Omit<PostedDay, 'label'> {
  const { seq, wall_end, received_at, posted, subject, custodian, workspace } = row
  return {
    gateway: row.gateway as GatewayId,
    epoch: row.epoch as Epoch,
    meter: row.meter as Meter,
    billable: row.billable === 1,
    ...{ seq, wall_end, received_at, posted, day, subject, custodian, workspace, quantity },
  }
}

/** Months of which something was posted from the turn `from` on and before `before`, in order. */
export async function monthsWithNews(
  db: Db,
  asked: Pick<DaysAsked, 'org' | 'gateways' | 'meters'> & {
    readonly known: { readonly from: number; readonly before?: number | undefined }
  },
): Promise<string[]> {
  if (asked.gateways?.length === 0) return []
  const { from, before } = asked.known
  const known = { ...asked, postedBefore: before }
  const month = sql<string>`substr(r.day, 1, 7)`
  const { gateways, meters } = asked
  const dated = await db
    .selectFrom('usage_record as r')
    .where('r.org', '=', asked.org)
    .where('r.day', 'is not', null)
    .where('r.posted', '>=', from)
    .$if(before !== undefined, (query) => query.where('r.posted', '<', before ?? 0))
    .$if(gateways !== undefined, (query) => query.where('r.gateway', 'in', gateways ?? []))
    // One posting is enough: a record of a large gateway has hundreds.
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('usage_posting as p')
          .select('p.seq')
          .where(sql<boolean>`(p.gateway, p.epoch, p.seq, p.month) = (r.gateway, r.epoch, r.seq, r.month)`)
          .$if(meters !== undefined, (query) => query.where('p.meter', 'in', meters ?? [])),
      ),
    )
    .select(month.as('month'))
    .distinct()
    .execute()
  const given = sql<string>`substr(a.day, 1, 7)`
  const labelled = await labels(db, known)
    .where('a.day', 'is not', null)
    .where((eb) => eb.or([eb('r.posted', '>=', from), eb('a.posted', '>=', from)]))
    .select(given.as('month'))
    .distinct()
    .execute()
  return [...new Set([...dated, ...labelled].map((row) => row.month))].sort()
}

const ENDED = sql<number>`max(case when wall_end < received_at then wall_end else received_at end)`

/**
 * When the last posted record of each gateway ended, epoch ms: by its clock, but not later than it was received, because
 * nothing is reported before it was.
 */
export async function reportedUntil(db: Db, gateways: readonly GatewayId[]): Promise<Map<string, number>> {
  if (gateways.length === 0) return new Map()
  const rows = await db
    .selectFrom('usage_record')
    .where('gateway', 'in', gateways)
    .select(['gateway', ENDED.as('until')])
    .groupBy('gateway')
    .execute()
  return new Map(rows.map(({ gateway, until }) => [gateway, until]))
}
