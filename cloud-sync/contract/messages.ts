import { z } from 'zod'
import { Epoch, Hash } from './ids.ts'
import { ReplicaId } from './proposal.ts'
import { STREAMS, type Stream } from './topics.ts'

/**
 * Kinds of signed messages: the signature covers `hg1/<kind>` NUL recipient NUL body. An acknowledgement names its
 * stream in the kind: delivered on another stream's topic it must not trim that one. `log`: checkpoints of the directory.
 * `evidence`: what the cloud says in files for auditors.
 */
export type SignedKind =
  | Stream
  | `ack/${Stream}`
  | 'prop'
  | 'ack/prop'
  | 'pol'
  | 'pol/d'
  | 'keyset'
  | 'login'
  | 'want'
  | 'log'
  | 'evidence'
  | `claim/${'birth' | 'ticket' | 'challenge' | 'proof' | 'receipt'}`

export const ACK_STATUSES = ['ok', 'gap', 'fork', 'unknown_epoch', 'conflict', 'hold'] as const

/** Marks in one status: a gateway that started more often since the last acknowledgement leaves out the newer ones. */
export const MARKS_MAX = 64

/** A place in a chain: the number of a record and its hash; 0 and zeros before the first. */
export const ChainMark = z.strictObject({ seq: z.int().min(0), hash: Hash })
export type ChainMark = z.infer<typeof ChainMark>

/** `dn/ack/{stream}`: sent only after the ledger's commit (wire.md, section 1). */
export const Ack = z.strictObject({
  epoch: Epoch,
  /** Everything up to and including this sequence number is committed; 0 = nothing yet. */
  upTo: z.int().min(0),
  /** Chain head at `upTo`. */
  hash: Hash,
  status: z.enum(ACK_STATUSES),
  /** Where status is `gap`: the sequence number to resend from. */
  want: z.int().min(1).optional(),
  /** Answers `marks` of the status: the number of the last one that the ledger has too. */
  agreed: z.int().min(0).optional(),
  /** Cloud's clock, epoch ms: signed, so it is trusted time. */
  serverTime: z.int().min(0),
})
export type Ack = z.infer<typeof Ack>

/** `up/status`, plain JSON, retained, also the will (then only `online: false`). */
export const GatewayStatus = z.strictObject({
  online: z.boolean(),
  bootId: z.string().max(64).optional(),
  sw: z.string().max(32).optional(),
  policy: z.int().min(0).optional(),
  streams: z
    .partialRecord(
      z.enum(STREAMS),
      z.strictObject({
        epoch: Epoch,
        next: z.int().min(1),
        oldest: z.int().min(1),
        parent: Epoch.nullable(),
        /**
         * Only of `usage`, where the process started several times since the last acknowledgement: where the chain stood
         * at each start. A database that was set back learns from it what is its own.
         */
        marks: z.array(ChainMark).max(MARKS_MAX).optional(),
        /**
         * Only of `usage`, where the first records of the epoch are no longer here: the first that is, `next` where none
         * is. A ledger that wants one before it was set back, and never gets it.
         */
        kept: z.int().min(2).optional(),
      }),
    )
    .optional(),
})
export type GatewayStatus = z.infer<typeof GatewayStatus>

/** `up/pol`, body of a signed message of kind `want`. */
export const PolicyWant = z.strictObject({
  /** That `have` and `applied` are counted in. */
  generation: z.int().min(1).default(1),
  have: z.int().min(0),
  want: z.boolean(),
  applied: z.int().min(0),
  /**
   * Only where the cloud seems to have lost what it judged: the first of the changes made here that it has not judged;
   * those before will never come again.
   */
  changes: z.strictObject({ replica: ReplicaId, from: z.int().min(1) }).optional(),
})
export type PolicyWant = z.infer<typeof PolicyWant>

/** `dn/pol/head`, plain JSON, retained: a hint only. */
export const PolicyHead = z.strictObject({
  generation: z.int().min(1).default(1),
  rev: z.int().min(1),
  hash: Hash,
})
export type PolicyHead = z.infer<typeof PolicyHead>

/** One event on `evt`: what an operator or an auditor wants to know later. */
export const GatewayEvent = z.strictObject({
  at: z.int(),
  kind: z.string().max(64),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
})
export type GatewayEvent = z.infer<typeof GatewayEvent>
