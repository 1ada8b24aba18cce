import type { DirectoryStore } from '../../storage/index.ts'
import { DirectoryRefusal } from '../errors.ts'
import { type LogSigner, verifyCheckpoints } from './checkpoint.ts'
import { verifyChains } from './log.ts'

/** What was found of the whole policy log; `fault` names the first that is wrong. */
export interface LogVerified {
  readonly ok: boolean
  readonly entries: number
  readonly chains: number
  readonly checkpoints: number
  /** Ends of chains that were signed. */
  readonly heads: number
  readonly fault: string | null
}

/** Checks every chain from its first entry, then that everything that was ever signed is still there. */
export async function verifyPolicyLog(
  store: DirectoryStore,
  signer: Pick<LogSigner, 'open'>,
): Promise<LogVerified> {
  let found = { entries: 0, chains: 0, checkpoints: 0, heads: 0 }
  try {
    found = { ...found, ...(await verifyChains(store)) }
    found = { ...found, ...(await verifyCheckpoints(store, signer)) }
    return { ok: true, ...found, fault: null }
  } catch (error) {
    if (!(error instanceof DirectoryRefusal)) throw error
    return { ok: false, ...found, fault: error.message }
  }
}
