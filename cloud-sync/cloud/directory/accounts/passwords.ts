import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import type { DirectoryRow } from '../../storage/index.ts'
import type { ScryptCost } from '../kernel/hashing.ts'
import type { DirectoryWorld } from '../kernel/write.ts'

/** 32 MiB and about 0.1 s for each try. */
export const SCRYPT_COST: ScryptCost = { cost: 2 ** 15, blockSize: 8, parallelism: 1 }
const SALT_BYTES = 16
const HASH_BYTES = 32
/** scrypt needs 128·N·r bytes and a little; OpenSSL refuses what needs more than it is let have. */
const MEMORY_PER_BLOCK = 256
const MEMORY_LEAST = 1 << 20

type PasswordRow = DirectoryRow<'password'>
export type HashedPassword = Omit<PasswordRow, 'user' | 'changed_at'>

/** Hashes a password with a new salt, when it is this share's turn. Throws DIRECTORY_BUSY. */
export async function hashPassword(
  { hashing, scryptCost: cost }: DirectoryWorld,
  { password, share }: { password: string; share: string },
): Promise<HashedPassword> {
  const salt = randomBytes(SALT_BYTES)
  const hash = await hashing.run(share, () => slowHash(password, { salt, cost }))
  return {
    hash: hash.toString('hex'),
    salt: salt.toString('hex'),
    cost: cost.cost,
    block_size: cost.blockSize,
    parallelism: cost.parallelism,
  }
}

/**
 * Whether it is the user's password. An unknown user costs the same time and is refused alike. Throws DIRECTORY_BUSY.
 */
export async function isPassword(
  { store, hashing, scryptCost }: DirectoryWorld,
  { user, password, share }: { user: string; password: string; share: string },
): Promise<boolean> {
  const row = await store.read.get('password', { user })
  const cost = row === undefined ? scryptCost : storedCost(row)
  const salt = Buffer.from(row?.salt ?? '00'.repeat(SALT_BYTES), 'hex')
  const hash = await hashing.run(share, () => slowHash(password, { salt, cost }))
  const known = Buffer.from(row?.hash ?? '00'.repeat(HASH_BYTES), 'hex')
  return timingSafeEqual(hash, known) && row !== undefined
}

const storedCost = (row: PasswordRow): ScryptCost => ({
  cost: row.cost,
  blockSize: row.block_size,
  parallelism: row.parallelism,
})

/** scrypt (RFC 7914), 32 bytes. */
function slowHash(password: string, { salt, cost }: { salt: Buffer; cost: ScryptCost }): Promise<Buffer> {
  const { cost: N, blockSize: r, parallelism: p } = cost
  // The same letters typed on another keyboard may come composed otherwise.
  const letters = password.normalize('NFC')
  return new Promise((resolve, reject) => {
    scrypt(
      letters,
      salt,
      HASH_BYTES,
      { N, r, p, maxmem: MEMORY_LEAST + MEMORY_PER_BLOCK * N * r },
      (error, hash) => {
        if (error === null) resolve(hash)
        else reject(error)
      },
    )
  })
}
