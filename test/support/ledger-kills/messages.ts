import type { Answer } from '../../../cloud-sync/cloud/ingest/posting.ts'
import type { DatabaseTarget } from '../../../cloud-sync/cloud/storage/index.ts'
import type { Ack, GatewayStatus } from '../../../cloud-sync/contract/index.ts'

export interface GatewayStart {
  readonly folder: string
  readonly privateKey: string
  readonly cloudId: string
  /** Number of its first reading. */
  readonly from: number
}
export interface CloudStart {
  readonly target: DatabaseTarget
  readonly publicKey: string
  readonly cloudId: string
}

export type GatewayDeath = 'between ack and prune' | 'after prune'
export type CloudDeath = 'between commit and ack' | 'after ack'

export type ToGateway =
  | { readonly what: 'ack'; readonly ack: Ack }
  | { readonly what: 'announce' | 'quiet' }
  | { readonly what: 'die'; readonly death: GatewayDeath }
export type FromGateway =
  | { readonly what: 'status'; readonly status: GatewayStatus }
  | { readonly what: 'usage'; readonly payload: Uint8Array }
  /** Committed, with fsync. */
  | { readonly what: 'took'; readonly number: number }
  /** Everything is acknowledged; what its registers have counted in all. */
  | { readonly what: 'idle'; readonly counted: number }

export type ToCloud =
  | { readonly what: 'message'; readonly topic: string; readonly payload: Uint8Array }
  | { readonly what: 'die'; readonly death: CloudDeath }
export type FromCloud = { readonly what: 'open' } | { readonly what: 'answer'; readonly answer: Answer }
