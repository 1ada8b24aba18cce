import type { GatewayId, OrgId, ZoneFrom } from '../../contract/index.ts'
import type { Day, DayFact, LedgerRecord, Period } from '../billing/index.ts'
import type { BillingStore } from '../storage/index.ts'
import type { PaymentProvider } from './payments/provider.ts'

/** Days from `from` to `to`, both included, of records posted before a cut-off; absent = all that there is. */
interface UsageAsked {
  readonly from: Day
  readonly to: Day
  readonly postedBefore?: number | undefined
}

/** What was used, as the ledger knows it. */
export interface UsageLedger {
  /**
   * Where the ledger is now: all that is posted is below it and can be read, all that is posted later is not. Not a time,
   * so that no clock decides what is late.
   */
  cutOff(): Promise<number>
  /** What an organisation pays for. Usage that is held for the winner of a dispute is in nobody's facts before there is one. */
  factsOf(org: OrgId, asked: UsageAsked): Promise<readonly DayFact[]>
  /**
   * Months of which something was posted from one cut-off on and before another one; also those that a dispute was
   * about, which are the same where they were billed so already.
   */
  monthsWithNews(
    org: OrgId,
    posted: { readonly from: number; readonly before?: number | undefined },
  ): Promise<readonly Period[]>
  /** Up to when each of these gateways has reported its usage, epoch ms; one that never did is missing. */
  reportedUntil(gateways: readonly GatewayId[]): Promise<ReadonlyMap<string, number>>
  /**
   * Posted records of the organisation's days, in the order in which they were posted, and those of earlier days that
   * became known too late for theirs: what a statement is made of. None that is held.
   */
  recordsOf(org: OrgId, asked: RecordsAsked): Promise<readonly LedgerRecord[]>
}

export interface RecordsAsked extends UsageAsked {
  /** Whose a disputed one is, as it was decided before this moment, epoch ms. */
  readonly decidedBefore: number
  /** Of earlier days: posted from this cut-off on, or decided from this moment on; null = none of them. */
  readonly late: { readonly postedFrom: number; readonly decidedFrom: number } | null
}

/** Writes the proof of what an organisation used, without a byte of others' (docs/evidence.md), line by line. */
export type UsageEvidence = (asked: {
  readonly org: OrgId
  /** What was asked for, which the file tells; null = every gateway. */
  readonly only: readonly GatewayId[] | null
  readonly gateways: readonly GatewayId[]
  /** Days that narrow the sums; null = from the first, to the last. */
  readonly period: { readonly from: Day | null; readonly to: Day | null }
}) => AsyncIterable<string>

/** An organisation as billing needs to know it. */
export interface BilledOrganisation {
  readonly id: OrgId
  readonly name: string
  /** Its invoice is written elsewhere: it sees no usage at all (S0.35). */
  readonly billedOutside: boolean
  /** In what its days are counted, from which day on, in that order; empty = UTC. */
  readonly zones: readonly ZoneFrom[]
  /**
   * When it was deleted, epoch ms; null = it is there. What it used is billed all the same, its months are closed on, and
   * only its monthly fees end.
   */
  readonly endedAt: number | null
}

/** An organisation that a partner manages; times are epoch ms. */
interface Managed {
  readonly org: OrgId
  /** Since when; what it used before is no business of the partner's. */
  readonly since: number
  /** Null: until somebody ends it. */
  readonly expiresAt: number | null
  readonly isEnded: boolean
}

/** Usage of a gateway that was metered for `org` by a claim that did not stand. */
export interface UsageHold {
  readonly gateway: GatewayId
  readonly org: string
  readonly since: number
  /** First moment at which `org` really owned it; null = never. */
  readonly until: number | null
  /** Who pays; null = not decided. */
  readonly winner: string | null
  readonly decidedAt: number | null
}

/** Who there is, from the directory. */
export interface BillingDirectory {
  /** Also those that were deleted: what they used has a payer. */
  organisations(): Promise<readonly BilledOrganisation[]>
  organisation(org: string): Promise<BilledOrganisation | undefined>
  /** Today's members. */
  membersOf(org: string): Promise<ReadonlySet<string>>
  /** Gateways that the organisation owns or has a device on, with the member who looks after those that it owns. */
  gatewaysOf(org: string): Promise<ReadonlyMap<GatewayId, string | null>>
  /** Gateways on which it owns, or ever owned, something: only these may report usage of it. */
  presenceOf(org: string): Promise<readonly GatewayId[]>
  /** Customers that a partner manages, or managed once. */
  customersOf(partner: string): Promise<readonly Managed[]>
  /** Where the organisation is the one metered for, or the winner. */
  holdsOf(org: string): Promise<readonly UsageHold[]>
}

/** Who writes the invoices. */
export interface Issuer {
  readonly name: string
  /** Lines below it, such as a street and a tax number. */
  readonly lines: readonly string[]
}

/** What billing is given of the outer world. */
export interface InvoicingWorld {
  readonly store: BillingStore
  readonly usage: UsageLedger
  readonly evidence: UsageEvidence
  readonly directory: BillingDirectory
  readonly provider: PaymentProvider
  readonly issuer: Issuer
  /** Wall clock, epoch ms. */
  readonly now: () => number
  readonly newId: () => string
}
