import {
  applyDelta,
  isDelta,
  keysetLookup,
  openDelta,
  openSnapshot,
} from '../../../cloud-sync/codec/index.ts'
import type {
  GatewayId,
  Hash,
  Keyset,
  PolicyOrder,
  PolicySnapshot,
} from '../../../cloud-sync/contract/index.ts'
import type { PolicyRefusal } from '../../../cloud-sync/gateway/index.ts'
import type { PolicyMark } from './arrival.ts'
import { CHANGES_MAX, type PolicyRows } from './rows.ts'

/** A policy whose signatures are checked, with what is needed to check the next one. */
export interface Verified {
  readonly snapshot: PolicySnapshot
  readonly keyset: Keyset
  /** The snapshot's text, and its SHA-256. */
  readonly body: Uint8Array
  readonly hash: Hash
  /** How many changes lie on top of the snapshot that was sent whole. */
  readonly changes: number
}

export type ReadMessage =
  | { readonly ok: true; readonly policy: Verified }
  /** `same`: a change that leads to what is there already. */
  | { readonly ok: false; readonly because: 'same' | PolicyRefusal }

export interface PolicyReader {
  readonly gateway: GatewayId
  /** Root public key, base64; null = nothing is ever believed. */
  readonly trust: string | null
}

export const markOf = ({ snapshot, hash }: Verified): PolicyMark => ({
  generation: snapshot.generation,
  version: snapshot.version,
  hash,
  ownerEpoch: snapshot.owner.ownerEpoch,
})

/** Reads one message of any carrier on top of what is there; never throws, whatever the bytes. */
export function readMessage(
  { gateway, trust }: PolicyReader,
  message: Uint8Array,
  known: { readonly base: Verified | null; readonly newestKeyset: PolicyOrder | undefined },
): ReadMessage {
  if (trust === null) return { ok: false, because: 'unsigned' }
  if (isDelta(message)) return readChange(gateway, message, known.base)
  const { newestKeyset } = known
  const opened = openSnapshot({ rootPublicKey: trust, gateway, bytes: message, newestKeyset })
  if (!opened.ok) return opened
  const { snapshot, keyset, body, bodyHash: hash } = opened
  return { ok: true, policy: { snapshot, keyset, body, hash, changes: 0 } }
}

function readChange(gateway: GatewayId, message: Uint8Array, base: Verified | null): ReadMessage {
  if (base === null) return { ok: false, because: 'base' }
  const opened = openDelta({ gateway, bytes: message, publicKeyFor: keysetLookup(base.keyset) })
  if (!opened.ok) return opened
  const { delta } = opened
  const { version } = base.snapshot
  if (delta.toVersion < version) return { ok: false, because: 'older' }
  if (delta.toVersion === version) {
    return { ok: false, because: delta.toHash === base.hash ? 'same' : 'altered' }
  }
  if (base.changes >= CHANGES_MAX) return { ok: false, because: 'base' }
  const applied = applyDelta({ version, body: base.body }, delta, gateway)
  if (!applied.ok) return applied
  const { snapshot, body, hash } = applied
  return { ok: true, policy: { snapshot, keyset: base.keyset, body, hash, changes: base.changes + 1 } }
}

/** What the rows of the database add up to; undefined where any of it does not verify any more. */
export function readRows(reader: PolicyReader, { snapshot, changes }: PolicyRows): Verified | undefined {
  let base: Verified | null = null
  for (const message of [snapshot, ...changes]) {
    const read = readMessage(reader, message, { base, newestKeyset: undefined })
    if (!read.ok) return undefined
    base = read.policy
  }
  return base ?? undefined
}
