import { type GatewayId, type Meter, type OrgId, shareOf } from '../../../contract/index.ts'
import type { Db } from './open.ts'
import { ofRecord, summed, sumOf } from './sums.ts'

/** What an organisation used of one meter on one day: the sum of its postings by subject, payer and network. */
export interface UsageDay {
  readonly org: OrgId
  /** As the gateway stamped it, or said of the record later; null where nobody has said yet. */
  readonly day: string | null
  readonly meter: Meter
  readonly gateway: string
  /** `sensor:device/name`, `gateway` or `link:id`. */
  readonly subject: string
  readonly custodian: string | null
  readonly workspace: string | null
  readonly billable: boolean
  readonly quantity: bigint
  /** MCC and MNC of the cellular network, where there was one. */
  readonly network: string | null
}

export interface DaysAsked {
  readonly org: OrgId
  /** Whose usage counts: nobody is billed for what a stranger's gateway says. Absent = every gateway's. */
  readonly gateways?: readonly GatewayId[] | undefined
  /** First and last day; both absent = all, what has no day yet as well. */
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly meters?: readonly Meter[] | undefined
  /** Only what the ledger had before this moment, epoch ms: what a rating run took. */
  readonly receivedBefore?: number | undefined
}

/** Days by their postings, in order of day, gateway, subject, meter and payer. */
export async function usageDays(db: Db, asked: DaysAsked): Promise<UsageDay[]> {
  if (asked.gateways?.length === 0) return []
  const days = [...(await dated(db, asked)), ...(await labelled(db, asked))]
  const sums = new Map<string, UsageDay>()
  for (const day of days) {
    const { quantity, ...place } = day
    if (quantity === 0n) continue
    const name = JSON.stringify(place)
    sums.set(name, { ...day, quantity: quantity + (sums.get(name)?.quantity ?? 0n) })
  }
  return [...sums.values()].sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1))
}

/** The same without what has no day: what rating takes. */
export async function dayFacts(db: Db, asked: DaysAsked): Promise<(UsageDay & { readonly day: string })[]> {
  const days = await usageDays(db, asked)
  return days.filter((day): day is UsageDay & { day: string } => day.day !== null)
}

const orderOf = ({ day, gateway, subject, meter, custodian, workspace }: UsageDay): string =>
  [day ?? '', gateway, subject, meter, custodian ?? '', workspace ?? ''].join('\n')

const PAYER = ['p.gateway', 'p.subject', 'p.meter', 'p.custodian', 'p.workspace', 'p.billable'] as const

/** Postings `p` with their records `r`. */
export function postings(db: Db, { org, gateways, meters, receivedBefore }: DaysAsked) {
  return db
    .selectFrom('usage_record as r')
    .innerJoin('usage_posting as p', ofRecord)
    .where('r.org', '=', org)
    .$if(gateways !== undefined, (query) => query.where('p.gateway', 'in', gateways ?? []))
    .$if(meters !== undefined, (query) => query.where('p.meter', 'in', meters ?? []))
    .$if(receivedBefore !== undefined, (query) => query.where('r.received_at', '<', receivedBefore ?? 0))
}

/** What has a day from the beginning. */
async function dated(db: Db, asked: DaysAsked): Promise<UsageDay[]> {
  const { from, to } = asked
  const rows = await postings(db, asked)
    .where('r.day', 'is not', null)
    .$if(from !== undefined, (query) => query.where('r.day', '>=', from ?? ''))
    .$if(to !== undefined, (query) => query.where('r.day', '<=', to ?? ''))
    .select(['r.day', 'r.network', ...PAYER, ...summed('p.quantity')])
    .groupBy(['r.day', 'r.network', ...PAYER])
    .execute()
  return rows.map(({ high, low, ...row }) => dayOf(asked.org, row, sumOf({ high, low })))
}

interface Place {
  readonly day: string | null
  readonly network: string | null
  readonly gateway: string
  readonly subject: string
  readonly meter: string
  readonly custodian: string | null
  readonly workspace: string | null
  readonly billable: number
}

function dayOf(org: OrgId, row: Place, quantity: bigint): UsageDay {
  const { day, network, gateway, subject, meter, custodian, workspace, billable } = row
  const place = { gateway, subject, custodian, workspace, network }
  return { org, day, meter: meter as Meter, ...place, billable: billable === 1, quantity }
}

/** Postings of records without a day, each with every label `a` it was given; one without where there is none. */
export function labels(db: Db, asked: DaysAsked) {
  return postings(db, asked)
    .leftJoin('usage_day_assign as a', (join) =>
      join
        .onRef('a.gateway', '=', 'r.gateway')
        .onRef('a.of_epoch', '=', 'r.epoch')
        .onRef('a.corrects', '=', 'r.seq')
        .on((eb) => eb('a.received_at', '<', asked.receivedBefore ?? Number.MAX_SAFE_INTEGER)),
    )
    .where('r.day', 'is', null)
}

/** What had no day: whole or by stretches the days it was given since, and without a range what nobody gave a day. */
async function labelled(db: Db, asked: DaysAsked): Promise<UsageDay[]> {
  const { org, from, to } = asked
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
  const days: UsageDay[] = []
  const left = new Map<string, { row: Place; quantity: bigint }>()
  for (const row of rows) {
    const quantity = BigInt(row.quantity)
    const name = JSON.stringify([row.gateway, row.epoch, row.seq, row.meter, row.subject, row.gen])
    const share = shareIn(quantity, row)
    const before = left.get(name)?.quantity ?? quantity
    left.set(name, { row, quantity: before - share })
    if (row.day !== null && within(row.day, { from, to })) days.push(dayOf(org, row, share))
  }
  if (from !== undefined || to !== undefined) return days
  for (const { row, quantity } of left.values()) days.push(dayOf(org, { ...row, day: null }, quantity))
  return days
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
