import { z } from 'zod'
import { GatewayId, Hash, type Keyset, PublicKey } from '../contract/index.ts'
import { keysetLookup, openMessage, type SigningKey, signMessage } from '../codec/index.ts'

/** What the cloud itself says in a file for auditors; a signed message of kind `evidence` to the cloud id. */
const Registration = z.strictObject({
  v: z.literal(1),
  what: z.literal('registration'),
  gateway: GatewayId,
  publicKey: PublicKey,
})
const Seal = z.strictObject({
  v: z.literal(1),
  what: z.literal('seal'),
  /** Lines before the seal, and the running hash of the last of them. */
  lines: z.int().min(1),
  hash: Hash,
})
const Word = z.discriminatedUnion('what', [Registration, Seal])
type Word = z.infer<typeof Word>

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export function sealWord(word: Word, by: { readonly cloudId: string; readonly key: SigningKey }): Uint8Array {
  const body = encoder.encode(JSON.stringify(word))
  return signMessage({ kind: 'evidence', recipient: by.cloudId, body, key: by.key })
}

/** Undefined where no key of the keyset signed it; never throws, whatever the bytes. */
export function openWord(
  message: Uint8Array,
  by: { readonly cloudId: string; readonly keyset: Keyset },
): Word | undefined {
  const publicKeyFor = keysetLookup(by.keyset)
  const opened = openMessage({ kind: 'evidence', recipient: by.cloudId, message, publicKeyFor })
  if (!opened.ok) return undefined
  try {
    const word = Word.safeParse(JSON.parse(decoder.decode(opened.body)))
    return word.success ? word.data : undefined
  } catch {
    return undefined
  }
}
