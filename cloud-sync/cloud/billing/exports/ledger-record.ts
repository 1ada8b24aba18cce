import type { Epoch, GatewayId, Meter, OrgId } from '../../../contract/index.ts'
import type { Day } from '../calendar.ts'

/** One usage record as it was posted: what each register moved by, and who paid. */
export interface LedgerRecord {
  readonly gateway: GatewayId
  readonly epoch: Epoch
  readonly seq: number
  readonly org: OrgId
  readonly day: Day | null
  /** When its interval ended by the gateway's clock, and when the cloud got it; milliseconds since 1970. */
  readonly wallEnd: number
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
