import type { Epoch, GatewayId } from '../contract/index.ts'
import type { EvidenceFault } from './faults.ts'
import type { EvidencePeriod, EvidenceScope } from './lines.ts'

/** What is proved of one epoch of a gateway. */
export interface EvidenceStreamReport {
  readonly gateway: GatewayId
  readonly epoch: Epoch
  readonly parent: Epoch | null
  readonly state: 'open' | 'forked' | 'closed'
  readonly upTo: number
  readonly head: string
  /** Signed messages of the gateway, as they were sent. */
  readonly batches: number
  /** Records in them. */
  readonly signed: number
  /** Records whose message the ledger did not keep, or that stood in one with others' records: the cloud vouches for them. */
  readonly attested: number
  /** Records of others, as hashes. */
  readonly hidden: number
  /** Records that the ledger lost and the gateway had no more; what registers moved meanwhile is in the ones after. */
  readonly lost: number
}

/** What an evidence file proves. */
export interface EvidenceReport {
  readonly ok: boolean
  /** The first thing that is wrong; null = nothing is. */
  readonly fault: EvidenceFault | null
  /** Root public key of the cloud, base64; `trusted`: it is the one that the reader named. */
  readonly root: string | null
  readonly trusted: boolean
  readonly scope: EvidenceScope | null
  readonly period: EvidencePeriod | null
  /** The gateways that were asked for; null = all that the scope has, or no head was read. */
  readonly only: readonly GatewayId[] | null
  /** How much the file says it contains. */
  readonly contents: { readonly gateways: number; readonly streams: number }
  readonly keyset: { readonly generation: number; readonly version: number } | null
  readonly lines: number
  /** Sums that are what the records add up to. */
  readonly facts: number
  /** Up to the fault. */
  readonly streams: readonly EvidenceStreamReport[]
}
