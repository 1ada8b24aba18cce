import { randomBytes, scrypt } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { CLAIM_CODE_LENGTH, ClaimCode, ClaimLabel, type GatewayId } from '../contract/index.ts'
import { type SigningKey, signingKeyOfSeed } from './keys.ts'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const PREFIX = 'GC1'
/** What guessing one code costs: some 100 ms and 32 MiB. Only who holds a label pays it, never gateway or cloud. */
const SCRYPT = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 }
const SEED_BYTES = 32

const derived = (code: string, salt: string): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    scrypt(code, salt, SEED_BYTES, SCRYPT, (error, seed) => {
      if (error === null) resolve(seed)
      else reject(error)
    })
  })

/** A new code of 100 random bits. `random` gives that many bytes. */
export function newClaimCode(random: (bytes: number) => Uint8Array = randomBytes): ClaimCode {
  // 256 is eight times 32, so the remainder favours nobody.
  const letters = [...random(CLAIM_CODE_LENGTH)].map((byte) => ALPHABET[byte % ALPHABET.length] ?? '')
  return ClaimCode.parse(letters.join(''))
}

/** The key that a code stands for; the same code on another gateway is another key. */
export async function claimKeyOf(serial: GatewayId, code: ClaimCode): Promise<SigningKey> {
  return signingKeyOfSeed(await derived(code, `headgate claim ${serial}`))
}

/** The label as one line of text, as its QR code holds it. */
export function labelText({ model, serial, keyFp, code }: ClaimLabel): string {
  const text = [PREFIX, model, serial, keyFp, code].join(':')
  return `${text}:${checksum(text)}`
}

/**
 * The label that somebody read or typed; undefined where it is none or was read wrongly. In the code, spaces, hyphens and
 * lower case do not matter, and I, L and O are taken for what they look like.
 */
export function parseLabel(given: string): ClaimLabel | undefined {
  const [prefix, model, serial, keyFp, code, sum, ...more] = given.trim().split(':')
  if (prefix !== PREFIX || code === undefined || more.length > 0) return undefined
  const label = ClaimLabel.safeParse({
    model,
    serial,
    keyFp: keyFp?.toLowerCase(),
    code: code.toUpperCase().replaceAll(/[\s-]/g, '').replaceAll(/[IL]/g, '1').replaceAll('O', '0'),
  })
  if (!label.success) return undefined
  return labelText(label.data).endsWith(`:${sum?.toLowerCase() ?? ''}`) ? label.data : undefined
}

/** CRC-32 in 8 hex digits: against misreading, not against anybody. */
const checksum = (text: string): string => crc32(text).toString(16).padStart(8, '0')
