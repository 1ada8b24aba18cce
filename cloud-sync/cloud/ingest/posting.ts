import type {
  Ack,
  Epoch,
  GatewayEvent,
  GatewayId,
  OrgId,
  PolicyOrder,
  ReadingBatch,
  Stream,
} from '../../contract/index.ts'
import type { Heard } from '../directory/index.ts'
import type { UsagePosting } from '../ledger/index.ts'
import type { Db, HeldEpoch, HeldStreams } from '../storage/index.ts'

/** What a transaction has in its hands. */
export interface Posting {
  readonly db: Db
  readonly streams: HeldStreams
  readonly usage: UsagePosting
  /** Epoch ms, one moment for all of it. */
  readonly now: number
  /** What was booked as lost. */
  readonly lost: BookedLoss[]
}

/** Records that the ledger had once and nobody has any more. */
export interface BookedLoss {
  readonly gateway: GatewayId
  readonly epoch: Epoch
  readonly first: number
  readonly last: number
}

/** What is answered; `serverTime` is added when it is sent. */
export type Answer = Omit<Ack, 'serverTime'> & { readonly stream: Stream }

/** What is to be sent once the commit is done. */
export interface Outcome {
  readonly gateway: GatewayId
  readonly answers: readonly Answer[]
  /** The gateway asked for its policy and has this version. */
  readonly have?: PolicyOrder
  /** The gateway has just said that it is there. */
  readonly online?: boolean
  /** What became of a change that was made at the gateway; it is in the directory. */
  readonly heard?: Heard
  /** Live readings that are posted, now or before. */
  readonly readings?: ReadingBatch
  /** What the gateway has told, in order, now or before. */
  readonly events?: readonly GatewayEvent[]
  /** Days whose gateway counted something else than the ledger has of it. */
  readonly incomplete?: readonly { readonly org: OrgId; readonly day: string | null }[]
  /** Records that nobody has any more: the ledger goes on behind them. */
  readonly lost?: BookedLoss
  /** The first record that nobody can read: nothing was posted. */
  readonly unreadable?: { readonly epoch: Epoch; readonly seq: number }
  /** Epochs that it has just announced for the first time and that wait for the operator. */
  readonly held?: readonly HeldEpoch[]
  /** A batch of an epoch that nobody announced: nothing was posted. */
  readonly unannounced?: boolean
}
