import type {
  Ack,
  ChangeAck,
  Epoch,
  GatewayStatus,
  Keyset,
  PolicyOrder,
  ReplicaId,
  Stream,
} from '../contract/index.ts'

/** A message body exactly as stored; signing it again gives the same bytes (Ed25519 is deterministic). */
export interface StoredBatch {
  readonly stream: Stream
  readonly epoch: Epoch
  /** Sequence numbers covered; equal for readings (one batch, one number). */
  readonly first: number
  readonly last: number
  readonly body: Uint8Array
}

/**
 * Where the gateway keeps what must reach the cloud; agent/storage implements it. A batch, once returned, is
 * returned byte-identical until it is acknowledged, also after a power cut.
 */
export interface Outbox {
  /** The first batch with `first > after`, made and stored now if need be; undefined where nothing waits. */
  next(stream: Stream, after: number): Promise<StoredBatch | undefined>
  /** Applies a verified acknowledgement: trims, notes the head, or opens a new epoch where the status demands it. */
  acknowledge(stream: Stream, ack: Ack): Promise<void>
  /** For `up/status`. */
  streams(): NonNullable<GatewayStatus['streams']>
  /** Called when something new waits; the returned way stops it. */
  onWaiting(listener: (stream: Stream) => void): () => void
}

/**
 * Why a policy is not put in force. `base`: a change of another policy than the one in force; `unknown-key`: signed by a
 * key of no keyset known here; for both the whole snapshot helps. `altered`: the version in force with another content.
 * `jump`: more versions on than can have been missed. `older-epoch`: from before the gateway changed hands.
 */
export const POLICY_REFUSALS = [
  'older',
  'altered',
  'jump',
  'older-epoch',
  'base',
  'unknown-key',
  'other-gateway',
  'unsigned',
  'malformed',
  'critical',
] as const
export type PolicyRefusal = (typeof POLICY_REFUSALS)[number]

/** `same`: it is in force already, and nothing is wrong. */
export type PolicyOutcome =
  | { readonly applied: true; readonly version: number }
  | { readonly applied: false; readonly because: 'same' | PolicyRefusal }

/** Where policies go; agent/storage implements it: verify, then one transaction. */
export interface MembershipSink {
  /** Version in force; 0 where there is none. */
  version(): number
  /** Newest root-signed keyset seen, also one that came with a snapshot already known; undefined where there is none. */
  keyset(): Keyset | undefined
  /** A snapshot, a change of one or several of them joined: the bytes as they came from any carrier. */
  apply(message: Uint8Array): Promise<PolicyOutcome>
}

/** Where the policy in force stands among all. */
export const orderInForce = (sink: MembershipSink): PolicyOrder => ({
  generation: sink.keyset()?.generation ?? 1,
  version: sink.version(),
})

/** A change of who may do what that was made here, exactly as stored. */
export interface StoredChange {
  readonly seq: number
  readonly body: Uint8Array
}

/** Changes made at this gateway that the cloud has not judged yet; agent/storage implements it. */
export interface ChangeOutbox {
  /** The first unjudged one after this number, byte-identical each time; undefined where there is none. */
  next(after: number): StoredChange | undefined
  /** The first unjudged one, or the one that would be made next; whose numbers these are. */
  standing(): { readonly replica: ReplicaId; readonly from: number }
  /** What the cloud says of them, its signature verified. */
  judged(ack: ChangeAck): Promise<void>
  /** Called when another one waits; the returned way stops it. */
  onWaiting(listener: () => void): () => void
}

/** Time as the uplink sees it; the wall clock plays no part. */
export interface UplinkClock {
  /** Monotonic, milliseconds. */
  now(): number
  /** Runs once after a delay in milliseconds; the returned way cancels it. */
  after(delayMs: number, run: () => void): () => void
}

/** The part of a logger that the uplink uses; pino fits. */
export interface UplinkLog {
  info(detail: object, message: string): void
  warn(detail: object, message: string): void
}
