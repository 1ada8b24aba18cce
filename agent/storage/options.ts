import type { Epoch, GatewayId, OrgId } from '../../cloud-sync/contract/index.ts'
import type { RetentionLimits } from './retention.ts'
import type { StoreClock } from './usage.ts'

export interface StoreOptions {
  /** The gateway's data folder; made where it is not there. */
  readonly folder: string
  readonly gateway: GatewayId
  /** Makes the clock from the latest trusted time of earlier runs, epoch ms (null = none). */
  clockFrom(highWaterMs: number | null): StoreClock
  /** Root public key, base64; null = no snapshot is ever accepted. */
  readonly trust: string | null
  readonly cloudConfigured: boolean
  /** Whom events of the gateway itself concern while there is no snapshot. */
  readonly organisation: OrgId
  /** Version of the software, in every usage record. */
  readonly sw: string
  /** Names the configuration in every usage record, e.g. the first digits of its hash. */
  readonly cfg: string
  /** Commit window, ms; default 1000. */
  readonly windowMs?: number
  /** Usage interval, ms; default 1 h. */
  readonly intervalMs?: number
  /** How long a live batch may collect, ms; default 5000. */
  readonly liveDelayMs?: number
  /** Default: 2 GiB, 400 days. */
  readonly limits?: RetentionLimits
  /** Fresh stream epochs; default: random. */
  readonly newEpoch?: () => Epoch
  /** The file cannot be used any more: log it and end the process; the next start checks the file. */
  onDamage(error: unknown): void
  /** A commit failed (disk full, read-only) and is tried again. */
  onRefused?(error: unknown): void
}
