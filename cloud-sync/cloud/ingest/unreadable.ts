import { Epoch, type GatewayId, isPossibleTime, SyncError } from '../../contract/index.ts'
import { decodeRecord, decodeUsageBatch, recordsInDamaged, type UsageBatch } from '../../codec/index.ts'

/** Where a batch of usage is not what the contract asks for. */
export interface UnreadableRecord {
  readonly epoch: Epoch
  /** Of the first record that cannot be taken. */
  readonly seq: number
}

/**
 * A batch whose every record is of a day and of moments that there are: no reader after this one has to ask.
 * @throws SyncError SYNC_MESSAGE_MALFORMED
 */
export function possibleUsage(body: Uint8Array): UsageBatch {
  const batch = decodeUsageBatch(body)
  if (batch.records.every(({ record }) => isPossibleTime(record.time))) return batch
  throw new SyncError('SYNC_MESSAGE_MALFORMED', 'A record is of a time that there is not.')
}

/** The first record that cannot be taken; undefined where not even whose the batch is can be told. Never throws. */
export function unreadableIn(body: Uint8Array, gateway: GatewayId): UnreadableRecord | undefined {
  const { gw, epoch, first, records } = recordsInDamaged(body)
  const named = Epoch.safeParse(epoch)
  if (gw !== gateway || !named.success || first < 1) return undefined
  const bad = records.findIndex((bytes, at) => !isReadable(bytes, { seq: first + at, gw, epoch }))
  return { epoch: named.data, seq: first + (bad === -1 ? records.length : bad) }
}

function isReadable(bytes: Uint8Array, at: { seq: number; gw: string; epoch: string }): boolean {
  try {
    const { seq, gw, epoch, time } = decodeRecord(bytes)
    return seq === at.seq && gw === at.gw && epoch === at.epoch && isPossibleTime(time)
  } catch {
    // The decoder throws for any bytes it did not write, and that is the finding.
    return false
  }
}
