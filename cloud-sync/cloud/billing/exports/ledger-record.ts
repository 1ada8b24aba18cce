import type { Epoch, GatewayId, Meter, OrgId } from '../../../contract/index.ts'
import type { Day } from '../calendar.ts'

/** One usage record, or the stretch of one that was given a day, as posted: what each register moved by, and who paid. */
export interface LedgerRecord {
  readonly gateway: GatewayId
  readonly epoch: Epoch
  readonly seq: number
  readonly org: OrgId
  readonly day: Day | null
  /** The record that gave it its day, or this stretch of it; null where it had one from the beginning. */
  readonly label: { readonly epoch: Epoch; readonly seq: number } | null
  /** Metered for another organisation, by a claim that did not stand. */
  readonly isWon: boolean
  /** When its interval ended by the gateway's clock, ms since 1970; a clock may have been anything. */
  readonly wallEnd: number
  /** When the cloud knew all of this: the record, its day and whose it is; ms since 1970. */
  readonly receivedAt: number
  readonly postings: readonly {
    readonly meter: Meter
    readonly subject: string
    readonly quantity: bigint
    readonly custodian: string | null
    readonly workspace: string | null
    readonly billable: boolean
  }[]
}
