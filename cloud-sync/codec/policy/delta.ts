import type { GatewayId, Hash, PolicySnapshot } from '../../contract/index.ts'
import { ByteReader, ByteWriter } from '../bytes.ts'
import type { SigningKey } from '../keys.ts'
import { openMessage, signMessage } from '../signed.ts'
import { POLICY_BYTES_MAX, policyHash, readable, readPolicy } from './body.ts'
import { applyEdit, makeEdit } from './edit.ts'

/** First byte of a delta where a whole snapshot has a 1. */
const DELTA = 2
const HASH_BYTES = 32

/** What leads from one policy text to the next. */
export interface PolicyDelta {
  readonly fromVersion: number
  /** `policyHash` of the text it starts from. */
  readonly fromHash: Hash
  readonly toVersion: number
  /** `policyHash` of the text it leads to. */
  readonly toHash: Hash
  /** Packed; only `applyDelta` reads it, and only with the text it starts from. */
  readonly edit: Uint8Array
}

interface PolicyText {
  readonly version: number
  /** As `policyBody` made it, or as `openSnapshot` or `applyDelta` found it. */
  readonly body: Uint8Array
}

/** Undefined where only a whole snapshot will do: another version of the contract wrote the old text. */
export function diffPolicy(from: PolicyText, to: PolicyText): PolicyDelta | undefined {
  if (to.version <= from.version) return undefined
  const edit = makeEdit(from.body, to.body)
  if (edit === undefined) return undefined
  return {
    fromVersion: from.version,
    fromHash: policyHash(from.body),
    toVersion: to.version,
    toHash: policyHash(to.body),
    edit,
  }
}

/** A delta as it travels: a byte 2, then a signed message of kind `pol/d` to the gateway. */
export function sealDelta(sealed: {
  readonly delta: PolicyDelta
  readonly gateway: GatewayId
  /** One of the keys of the keyset that the gateway's snapshot came with. */
  readonly key: SigningKey
}): Uint8Array {
  const { delta, gateway, key } = sealed
  const writer = new ByteWriter()
  writer.varint(delta.fromVersion)
  writer.varint(delta.toVersion - delta.fromVersion)
  writer.hex(delta.fromHash)
  writer.hex(delta.toHash)
  writer.bytes(delta.edit)
  const message = signMessage({ kind: 'pol/d', recipient: gateway, body: writer.finish(), key })
  return Buffer.concat([Uint8Array.of(DELTA), message])
}

export const isDelta = (bytes: Uint8Array): boolean => bytes[0] === DELTA

export type OpenedDelta =
  | { readonly ok: true; readonly delta: PolicyDelta }
  | { readonly ok: false; readonly because: 'malformed' | 'unknown-key' | 'unsigned' }

/** Checks signature, recipient and shape; never throws, whatever the bytes. Nothing is unpacked yet. */
export function openDelta(sealed: {
  readonly gateway: GatewayId
  readonly bytes: Uint8Array
  /** `keysetLookup` of the keyset that the gateway's snapshot came with. */
  readonly publicKeyFor: (keyId: string) => string | undefined
}): OpenedDelta {
  const { gateway, bytes, publicKeyFor } = sealed
  if (!isDelta(bytes)) return { ok: false, because: 'malformed' }
  const message = bytes.subarray(1)
  const opened = openMessage({ kind: 'pol/d', recipient: gateway, message, publicKeyFor })
  if (!opened.ok) {
    return { ok: false, because: opened.because === 'bad-signature' ? 'unsigned' : opened.because }
  }
  const delta = readable(() => readDelta(opened.body))
  return delta === undefined ? { ok: false, because: 'malformed' } : { ok: true, delta }
}

function readDelta(body: Uint8Array): PolicyDelta {
  const reader = new ByteReader(body)
  const fromVersion = reader.varint()
  const toVersion = fromVersion + reader.varint()
  const [fromHash, toHash] = [reader.hex(HASH_BYTES) as Hash, reader.hex(HASH_BYTES) as Hash]
  return { fromVersion, fromHash, toVersion, toHash, edit: reader.rest() }
}

export type AppliedDelta =
  | {
      readonly ok: true
      readonly snapshot: PolicySnapshot
      readonly body: Uint8Array
      readonly hash: Hash
    }
  /** `base`: it starts from another policy. `malformed`: it leads nowhere, or not where it says. */
  | { readonly ok: false; readonly because: 'base' | 'malformed' | 'other-gateway' | 'critical' }

/** The policy that an opened delta leads to, to the byte; never throws, whatever the bytes. */
export function applyDelta(from: PolicyText, delta: PolicyDelta, gateway: GatewayId): AppliedDelta {
  if (from.version !== delta.fromVersion || policyHash(from.body) !== delta.fromHash) {
    return { ok: false, because: 'base' }
  }
  const body = readable(() => applyEdit(from.body, delta.edit, delta.toVersion))
  if (body === undefined || body.length > POLICY_BYTES_MAX || policyHash(body) !== delta.toHash) {
    return { ok: false, because: 'malformed' }
  }
  const read = readPolicy(body, gateway)
  if (!read.ok) return read
  const { snapshot } = read
  if (snapshot.version !== delta.toVersion || delta.toVersion <= from.version) {
    return { ok: false, because: 'malformed' }
  }
  return { ok: true, snapshot, body, hash: delta.toHash }
}
