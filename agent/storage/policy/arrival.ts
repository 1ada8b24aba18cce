import { comparePolicyOrder, type Hash, type PolicyOrder } from '../../../cloud-sync/contract/index.ts'

/**
 * Versions that may be missed at once. A directory that changes twice a second makes fewer in a year; whoever stole a
 * signing key cannot use up the numbers with one message, and the root key's next generation begins below again.
 */
export const VERSION_JUMP_MAX = 2 ** 26

/** A policy by its place in the order and by its content. */
export interface PolicyMark extends PolicyOrder {
  /** SHA-256 of its text; null where only an older gateway's note is left. */
  readonly hash: Hash | null
  readonly ownerEpoch: number
}

/** What stands against putting a properly signed policy in force, besides the ways in which it may not be properly signed. */
export type ArrivalRefusal = 'older' | 'altered' | 'jump' | 'older-epoch'

/**
 * Whether a properly signed policy is news. `mark` = the newest ever in force here, `inForce` = what is in force now,
 * which is less only where the database was set back.
 */
export function judgeArrival(
  arriving: PolicyMark,
  known: { readonly mark: PolicyMark | null; readonly inForce: PolicyOrder | null },
): 'news' | 'same' | ArrivalRefusal {
  const { mark, inForce } = known
  if (mark === null) return arriving.version > VERSION_JUMP_MAX ? 'jump' : 'news'
  const order = comparePolicyOrder(arriving, mark)
  if (order < 0) return 'older'
  if (order === 0) {
    if (mark.hash !== null && arriving.hash !== mark.hash) return 'altered'
    return inForce !== null && comparePolicyOrder(inForce, arriving) === 0 ? 'same' : 'news'
  }
  if (arriving.version - mark.version > VERSION_JUMP_MAX) return 'jump'
  // A cloud that came back from a backup may not know of the last transfer; its operator has said so with the root key.
  const isOlderEpoch = arriving.generation === mark.generation && arriving.ownerEpoch < mark.ownerEpoch
  return isOlderEpoch ? 'older-epoch' : 'news'
}
