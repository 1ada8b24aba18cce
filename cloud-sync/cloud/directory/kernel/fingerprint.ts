import { type ScryptCost, slowHash } from '../accounts/passwords.ts'
import { sha256 } from './log.ts'

/** A fast hash of a password is nearly the password: these go in by the slow one alone. */
const SECRET_FIELDS: ReadonlySet<string> = new Set(['password', 'newPassword'])

/**
 * What tells one write from another under the same key, passwords included.
 * @param under by whom and under which key: no two writes hash a password alike
 */
export async function fingerprintOf(
  write: { name: string; input: unknown; under: string },
  cost: ScryptCost,
): Promise<string> {
  const secrets: unknown[] = []
  const plain = JSON.stringify(write.input, (field, value: unknown) => {
    if (!SECRET_FIELDS.has(field)) return value
    secrets.push(field, value)
    return undefined
  })
  const shown = `${write.name}\0${plain}`
  if (secrets.length === 0) return sha256(shown)
  const salt = Buffer.from(sha256(`fingerprint\0${write.under}`), 'hex')
  const hidden = await slowHash(JSON.stringify(secrets), { salt, cost })
  return sha256(`${shown}\0${hidden.toString('hex')}`)
}
