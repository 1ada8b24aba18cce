import {
  decodeUsageBatch,
  keyIdOf,
  openMessage,
  SIGNED_HEAD_BYTES,
  type UsageBatch,
} from '../../codec/index.ts'
import {
  batchesOfUsage,
  type Db,
  lossesOf,
  monthOf,
  recordMarks,
  type StreamPosition,
  type UsageLoss,
  type UsageMessage,
} from '../storage/index.ts'

/** By whose key a gateway's messages are signed, and to whom. */
export interface Signer {
  /** Base64. */
  readonly publicKey: string
  readonly cloudId: string
}

/**
 * Whether the messages that are kept as evidence hold exactly the records that are posted, came when the ledger says,
 * and, where the signer is known, are signed. The number of the first record for which that is not so.
 */
export async function firstWithoutMessage(
  db: Db,
  position: StreamPosition,
  signer: Signer | undefined,
): Promise<number | undefined> {
  const losses = await lossesOf(db, position)
  let covered = 0
  for await (const kept of batchesOfUsage(db, position)) {
    const batch = opened(kept, signer)
    if (batch === undefined || !isOf(batch, kept)) return covered + 1
    const { first, last } = batch
    covered = behindLoss(losses, { covered, first })
    if (first > covered + 1 || last <= covered) return covered + 1
    const marks = new Map((await recordMarks(db, position, { first, last })).map((mark) => [mark.seq, mark]))
    for (const { record, hash } of batch.records) {
      const mark = marks.get(record.seq)
      if (mark?.hash !== hash) return record.seq
      // What was known before keeps the moment at which it came first.
      if (record.seq > covered && mark.received_at !== kept.receivedAt) return record.seq
    }
    covered = last
  }
  return covered === position.upTo ? undefined : covered + 1
}

/** What lies between the last message and this one may be lost. */
function behindLoss(
  losses: readonly UsageLoss[],
  { covered, first }: { covered: number; first: number },
): number {
  const lost = losses.find((loss) => loss.first === covered + 1 && loss.last === first - 1)
  return lost?.last ?? covered
}

function opened({ message, keyId }: UsageMessage, signer: Signer | undefined): UsageBatch | undefined {
  const body = signer === undefined ? message.subarray(SIGNED_HEAD_BYTES) : signedBody(message, signer)
  if (body === undefined || Buffer.from(message.subarray(1, 9)).toString('hex') !== keyId) return undefined
  try {
    return decodeUsageBatch(body)
  } catch {
    // The decoder throws for any bytes it did not write, and that is the finding.
    return undefined
  }
}

function signedBody(message: Uint8Array, { publicKey, cloudId }: Signer): Uint8Array | undefined {
  const publicKeyFor = (id: string): string | undefined => (id === keyIdOf(publicKey) ? publicKey : undefined)
  const read = openMessage({ kind: 'usage', recipient: cloudId, message, publicKeyFor })
  return read.ok ? read.body : undefined
}

const isOf = (batch: UsageBatch, { gateway, epoch, first, last, month, receivedAt }: UsageMessage): boolean =>
  batch.gw === gateway &&
  batch.epoch === epoch &&
  batch.first === first &&
  batch.last === last &&
  month === monthOf(receivedAt)
