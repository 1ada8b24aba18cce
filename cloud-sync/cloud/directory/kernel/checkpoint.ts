import { z } from 'zod'
import type { DirectoryReader, DirectoryRow, DirectoryStore } from '../../storage/index.ts'
import { refuse } from '../errors.ts'
import { sha256, ZERO } from './log.ts'

/** Chains whose ends go into one checkpoint at most. */
const HEADS_MAX = 1_000
const CHECKED_PAGE = 200

/** Signs the texts of checkpoints, and knows what was signed. */
export interface LogSigner {
  /** The signed message around this text. */
  sign(text: Uint8Array): Uint8Array
  /** The text inside; undefined where no key of the cloud has signed it. */
  open(message: Uint8Array): Uint8Array | undefined
}

const Checkpoint = z.strictObject({
  v: z.literal(1),
  number: z.int().min(1),
  prev: z.string(),
  at: z.int(),
  heads: z.array(z.tuple([z.string(), z.int().min(1), z.string()])),
})
type Checkpoint = z.infer<typeof Checkpoint>

/**
 * Signs where chains end that have grown since the checkpoint before, a thousand at most. Who can write to the database can make a
 * chain anew, but not one that ends in a signed head. How many chains were signed; 0 = nothing is new.
 */
export function checkpoint(
  store: DirectoryStore,
  { sign, now }: { sign: LogSigner['sign']; now: () => number },
): Promise<number> {
  return store.transaction(async (tx) => {
    const grown = await tx.unsignedHeads(HEADS_MAX)
    if (grown.length === 0) return 0
    const [last] = await tx.find('log_checkpoint', {}, { orderBy: ['number'], descending: true, limit: 1 })
    const number = (last?.number ?? 0) + 1
    const heads = grown.map(({ chain, seq, hash }) => [chain, seq, hash] as const)
    const at = now()
    const entry = JSON.stringify({ v: 1, number, prev: last?.hash ?? ZERO, at, heads })
    const message = Buffer.from(sign(Buffer.from(entry))).toString('base64')
    await tx.add('log_checkpoint', { number, at, hash: sha256(entry), entry, message })
    for (const { chain, seq } of grown) await tx.put('signed_head', { chain, seq })
    return grown.length
  })
}

/**
 * Checks every checkpoint: signed, following the one before, and each of its heads still in the log. Throws
 * DIRECTORY_LOG_BROKEN with the first that is not. With `rebuildDirectory`, which checks the chains, the whole log.
 */
export async function verifyCheckpoints(
  { read }: DirectoryStore,
  signer: Pick<LogSigner, 'open'>,
): Promise<{ checkpoints: number; heads: number }> {
  let [before, number, heads] = [ZERO, 0, 0]
  for (;;) {
    const page = await read.find(
      'log_checkpoint',
      {},
      { orderBy: ['number'], after: number, limit: CHECKED_PAGE },
    )
    if (page.length === 0) return { checkpoints: number, heads }
    for (const row of page) {
      const found = checked(row, { signer, prev: before })
      if (found.number !== number + 1)
        refuse('DIRECTORY_LOG_BROKEN', `a checkpoint before ${row.number} is gone`)
      await assertInLog(read, found.heads)
      ;[before, number, heads] = [row.hash, found.number, heads + found.heads.length]
    }
  }
}

/** What was signed; throws where it is not what stands there, or does not follow `prev`. */
function checked(
  { number, entry, hash, message }: DirectoryRow<'log_checkpoint'>,
  { signer, prev }: { signer: Pick<LogSigner, 'open'>; prev: string },
): Checkpoint {
  const broken = (): never => refuse('DIRECTORY_LOG_BROKEN', `checkpoint ${number} is broken`)
  const signed = signer.open(Buffer.from(message, 'base64'))
  if (signed === undefined || Buffer.from(signed).toString() !== entry || sha256(entry) !== hash)
    return broken()
  const found = Checkpoint.parse(JSON.parse(entry))
  return found.number === number && found.prev === prev ? found : broken()
}

async function assertInLog(read: DirectoryReader, heads: Checkpoint['heads']): Promise<void> {
  for (const [chain, seq, end] of heads) {
    const row = await read.get('policy_log', { chain, seq })
    if (row?.hash !== end) refuse('DIRECTORY_LOG_BROKEN', `${chain} is not what was signed at ${seq}`)
  }
}
