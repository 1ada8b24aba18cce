import type { Epoch, GatewayId } from '../../../contract/index.ts'
import type { Db } from './open.ts'

interface OfStream {
  readonly gateway: GatewayId
  readonly epoch: Epoch
}
interface Range {
  readonly first: number
  readonly last: number
}

/** A posting as it is stored. */
export interface PostedRow {
  readonly seq: number
  readonly meter: string
  readonly subject: string
  readonly gen: number
  readonly quantity: string
  readonly custodian: string | null
  readonly workspace: string | null
  readonly billable: number
  readonly q: number
  readonly month: number
}

/** All postings of some records, by number. */
export function postedRows(db: Db, of: OfStream, { first, last }: Range): Promise<PostedRow[]> {
  return db
    .selectFrom('usage_posting')
    .select(['seq', 'meter', 'subject', 'gen', 'custodian', 'workspace', 'billable', 'q', 'month'])
    .select((eb) => eb.cast<string>('quantity', 'text').as('quantity'))
    .where('gateway', '=', of.gateway)
    .where('epoch', '=', of.epoch)
    .where('seq', '>=', first)
    .where('seq', '<=', last)
    .orderBy('seq')
    .execute()
}

/** Labels that records of this epoch gave, by number of those records. */
export function labelsOf(db: Db, of: OfStream) {
  return db
    .selectFrom('usage_day_assign')
    .select([
      'seq',
      'of_epoch',
      'corrects',
      'day',
      'share_from',
      'share_to',
      'share_of',
      'received_at',
      'posted',
    ])
    .where('gateway', '=', of.gateway)
    .where('epoch', '=', of.epoch)
    .orderBy('seq')
    .execute()
}

/** Which records are stored under these numbers, and when each came. */
export function recordMarks(
  db: Db,
  of: OfStream,
  { first, last }: Range,
): Promise<{ readonly seq: number; readonly hash: string; readonly received_at: number }[]> {
  return db
    .selectFrom('usage_record')
    .select(['seq', 'hash', 'received_at'])
    .where('gateway', '=', of.gateway)
    .where('epoch', '=', of.epoch)
    .where('seq', '>=', first)
    .where('seq', '<=', last)
    .execute()
}
