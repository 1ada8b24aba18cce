import { momentText } from '../../../contract/index.ts'
import type { LedgerRecord } from './ledger-record.ts'

/** As wide as the largest whole number of a record, so that the order of texts is the order of numbers. */
const SEQUENCE_DIGITS = 16

/** A CloudEvents 1.0 event in structured JSON; quantities are texts, because they may be beyond 2^53. */
export interface UsageEvent {
  readonly specversion: '1.0'
  readonly id: string
  readonly source: string
  readonly type: 'io.headgate.usage.v1'
  readonly subject: string
  readonly time: string
  readonly datacontenttype: 'application/json'
  /** Extension `sequence`: orders the events of one source. */
  readonly sequence: string
  /** Extension `recordedtime`: when the cloud knew all of it. */
  readonly recordedtime: string
  readonly data: {
    readonly day: string | null
    readonly usage: readonly {
      readonly meter: string
      readonly subject: string
      readonly quantity: string
      readonly custodian: string | null
      readonly workspace: string | null
      readonly billable: boolean
    }[]
  }
}

/** The event of a posted record; the same record gives the same bytes, so that a receiver can drop the second. */
export function cloudEventOf(record: LedgerRecord): UsageEvent {
  const { gateway, epoch, org, day, wallEnd, receivedAt, postings } = record
  const id = idOf(record)
  return {
    specversion: '1.0',
    id,
    source: `/gw/${gateway}/${epoch}`,
    type: 'io.headgate.usage.v1',
    subject: org,
    time: momentText(wallEnd),
    datacontenttype: 'application/json',
    sequence: id,
    recordedtime: new Date(receivedAt).toISOString(),
    data: {
      day,
      usage: postings.map(({ quantity, ...posting }) => ({ ...posting, quantity: quantity.toString() })),
    },
  }
}

/**
 * The number of the record; of one that was given its days later each stretch is an event of its own, named by the record
 * that gave the day as well. As texts they are in the order of the records.
 */
function idOf({ epoch, seq, label, isWon }: LedgerRecord): string {
  const own = digits(seq)
  const given =
    label === null ? [] : label.epoch === epoch ? [digits(label.seq)] : [label.epoch, digits(label.seq)]
  return [own, ...given, ...(isWon ? ['won'] : [])].join('-')
}

const digits = (seq: number): string => seq.toString().padStart(SEQUENCE_DIGITS, '0')
