import {
  type CloudSeal,
  claimKeyOf,
  cloudIdOf,
  generateKeyPair,
  parseLabel,
  sealKeyset,
  sealOnlineProof,
  sealReceipt,
  type SigningKey,
  signingKey,
} from '../../cloud-sync/codec/index.ts'
import {
  type ClaimLabel,
  ClaimReceipt,
  type GatewayId,
  OnlineProof,
} from '../../cloud-sync/contract/index.ts'

/** A cloud's keys for tests that need no cloud. */
export interface TestRoot {
  readonly trust: string
  readonly cloudId: string
  readonly seal: CloudSeal & { readonly cloudId: string }
}

export const newKey = (): SigningKey => signingKey(generateKeyPair().privateKey)

export function testRoot(): TestRoot {
  const [root, key] = [newKey(), newKey()]
  const cloudId = cloudIdOf(root.publicKey)
  const keyset = sealKeyset({ v: 2, generation: 1, version: 1, keys: [key.publicKey] }, root)
  return { trust: root.publicKey, cloudId, seal: { keyset, key, cloudId } }
}

/** The label that a command showed; throws where it is none. */
export function labelOf(text: string | null): ClaimLabel {
  const label = parseLabel(text ?? '')
  if (label === undefined) throw new Error(`${String(text)} is no label`)
  return label
}

let nonces = 0
export const newNonce = (): string => String((nonces += 1)).padStart(32, '0')

const keys = new Map<string, Promise<SigningKey>>()
/** Of the code on it; derived once, which takes a tenth of a second. */
function keyOf({ serial, code }: ClaimLabel): Promise<SigningKey> {
  const name = `${serial} ${code}`
  const known = keys.get(name) ?? claimKeyOf(serial, code)
  keys.set(name, known)
  return known
}

/** What somebody with the label sends to the cloud. */
export async function onlineClaim(
  label: ClaimLabel,
  { org, user, cloudId, nonce = newNonce() }: { org: string; user: string; cloudId: string; nonce?: string },
): Promise<{ org: string; gateway: GatewayId; nonce: string; proof: string }> {
  const key = await keyOf(label)
  const proof = OnlineProof.parse({ v: 1, gateway: label.serial, org, workspace: null, user, nonce })
  return {
    org,
    gateway: label.serial,
    nonce,
    proof: Buffer.from(sealOnlineProof(proof, { cloudId, key })).toString('base64'),
  }
}

/** A receipt as the gateway with this key signs it, base64. */
export function receiptBy(
  key: SigningKey,
  cloudId: string,
  said: Readonly<Record<string, unknown>> & { readonly gateway: string },
): string {
  const receipt = ClaimReceipt.parse({
    v: 1,
    what: 'claimed',
    keyFp: key.keyId,
    generation: 1,
    claimCounter: 1,
    bootId: 'boot-1',
    monoMs: 1,
    at: null,
    ...(said['what'] === 'released' ? {} : { presence: 'code' }),
    ...said,
  })
  return Buffer.from(sealReceipt(receipt, { cloudId, key })).toString('base64')
}
