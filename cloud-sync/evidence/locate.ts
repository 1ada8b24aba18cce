import type { Hash } from '../contract/index.ts'
import { decodeRecord, recordsInDamaged, SIGNED_HEAD_BYTES, sha256 } from '../codec/index.ts'

interface Link {
  readonly prev: Hash | undefined
  readonly hash: Hash
}

/**
 * The number of the record that was changed in a batch whose signature does not hold: the first that cannot be read, or
 * whose hash the next one does not name. Where records after it no longer fit either, it was its own word on the one
 * before that changed. Undefined where every record is sound (the signature itself was changed), or where the batch can
 * no longer be unpacked.
 */
export function changedRecord(
  message: Uint8Array,
  known: { readonly first: number; readonly before: Hash | undefined; readonly head: Hash },
): number | undefined {
  const { records } = recordsInDamaged(message.subarray(SIGNED_HEAD_BYTES))
  const links: Link[] = []
  for (const [index, bytes] of records.entries()) {
    const prev = prevOf(bytes)
    if (prev === undefined) return known.first + index
    links.push({ prev, hash: sha256(bytes) })
  }
  if (links.length === 0) return undefined
  const hashes = [known.before, ...links.map(({ hash }) => hash)]
  const named = [...links.map(({ prev }) => prev), known.head]
  const isBroken = (link: number): boolean =>
    hashes[link] !== undefined && named[link] !== undefined && hashes[link] !== named[link]
  const broken = named.findIndex((_, link) => isBroken(link))
  if (broken === -1) return undefined
  // Link n leads from record n - 1 to record n: two in a row are about the record between them.
  const changed = broken === 0 || isBroken(broken + 1) ? broken : broken - 1
  return known.first + Math.min(changed, links.length - 1)
}

function prevOf(bytes: Uint8Array): Hash | undefined {
  try {
    return decodeRecord(bytes).prev
  } catch {
    return undefined
  }
}
