import { createHmac } from 'node:crypto'
import { sha256 } from './log.ts'

/** A hash of a password that anybody can compute is nearly the password: these go in by the keyed one alone. */
const SECRET_FIELDS: ReadonlySet<string> = new Set(['password', 'newPassword'])

/**
 * What tells one write from another under the same key, passwords included. It costs nothing, so that a write which is
 * refused costs nothing either; who has the database and not the key guesses no password by it.
 * @param under by whom and under which key: no two writes hash a password alike
 */
export function fingerprintOf(
  write: { name: string; input: unknown; under: string },
  key: Uint8Array,
): string {
  const secrets: unknown[] = []
  const plain = JSON.stringify(write.input, (field, value: unknown) => {
    if (!SECRET_FIELDS.has(field)) return value
    secrets.push(field, value)
    return undefined
  })
  const shown = `${write.name}\0${plain}`
  if (secrets.length === 0) return sha256(shown)
  const hidden = createHmac('sha256', key).update(`${write.under}\0${JSON.stringify(secrets)}`)
  return sha256(`${shown}\0${hidden.digest('hex')}`)
}
