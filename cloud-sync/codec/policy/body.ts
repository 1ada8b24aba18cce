import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'
import { z } from 'zod'
import {
  GatewayId,
  type Hash,
  type PolicySnapshot,
  StoredPolicySnapshot,
  SyncError,
} from '../../contract/index.ts'
import { ByteReader, ByteWriter } from '../bytes.ts'
import { fromJson, toJson } from '../json.ts'
import { sha256 } from '../keys.ts'

/** A snapshot as JSON, bytes; 200 members and 500 grants take 220 kB. */
export const POLICY_BYTES_MAX = 4 * 1024 * 1024
/** First byte of a body that is JSON as it is: an opening brace. */
const PLAIN = 0x7b
/** First byte of a body that is JSON under brotli. */
const BROTLI = 1
/** Three quarters of the best there is, in a hundredth of its time. */
const QUALITY = 5

/** Parts of a snapshot that a gateway must understand or refuse the whole. None is defined yet. */
const UNDERSTOOD: ReadonlySet<string> = new Set<string>()

/**
 * A snapshot's one text, UTF-8 JSON: what is hashed, what deltas start from and lead to. A gateway keeps the text as it
 * was signed and never writes it anew, so a gateway of another version has the same hash.
 */
export const policyBody = (snapshot: PolicySnapshot): Uint8Array => toJson(snapshot)

/** SHA-256 of a snapshot's text: the same whoever signed it and however it was packed. */
export const policyHash = (body: Uint8Array): Hash => sha256(body)

/** A text as it is signed: a byte that says how, the gateway it is for, then the text under brotli. */
export function packBody(body: Uint8Array, gateway: GatewayId): Uint8Array {
  if (body.length > POLICY_BYTES_MAX) {
    throw new SyncError('SYNC_MESSAGE_MALFORMED', `A policy of ${body.length} bytes is too large to be sent.`)
  }
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: body.length,
  }
  const writer = new ByteWriter()
  writer.byte(BROTLI)
  writer.text(gateway)
  writer.bytes(brotliCompressSync(body, { params }))
  return writer.finish()
}

/** The text of what was signed, of any form that ever was; throws where it is none or larger than POLICY_BYTES_MAX. */
export function unpackBody(signed: Uint8Array): Uint8Array {
  if (signed[0] === PLAIN) return signed
  return brotliDecompressSync(split(signed).packed, { maxOutputLength: POLICY_BYTES_MAX })
}

/** Whom it says it is for, without unpacking anything: that waits for the signature. Throws where it says nothing. */
export const addresseeOf = (signed: Uint8Array): string =>
  signed[0] === PLAIN
    ? fromJson(z.looseObject({ gateway: GatewayId }), signed).gateway
    : split(signed).addressee

function split(signed: Uint8Array): { addressee: string; packed: Uint8Array } {
  const reader = new ByteReader(signed)
  if (reader.byte() !== BROTLI) {
    throw new SyncError('SYNC_MESSAGE_MALFORMED', 'The policy is packed in a way that is not known here.')
  }
  return { addressee: reader.text(), packed: reader.rest() }
}

export type ReadPolicy =
  | { readonly ok: true; readonly snapshot: PolicySnapshot }
  | { readonly ok: false; readonly because: 'malformed' | 'other-gateway' | 'critical' }

/** A snapshot's text, checked as far as the text goes; never throws, whatever the bytes. */
export function readPolicy(body: Uint8Array, gateway: GatewayId): ReadPolicy {
  const snapshot = readable(() => fromJson(StoredPolicySnapshot, body))
  if (snapshot === undefined) return { ok: false, because: 'malformed' }
  if (snapshot.gateway !== gateway) return { ok: false, because: 'other-gateway' }
  if (!snapshot.critical.every((part) => UNDERSTOOD.has(part))) return { ok: false, because: 'critical' }
  return { ok: true, snapshot }
}

/** What `read` gives, undefined where it throws: bytes from outside are refused, not failed on. */
export function readable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
