import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const folder = resolve(import.meta.dirname, '../../hardware/profiles')

/** Text of the profile of this name that comes with headgate. */
export function shippedProfile(name: string): string {
  for (const file of readdirSync(folder)) {
    const text = readFileSync(join(folder, file), 'utf8')
    if (new RegExp(`^profile: ${name}$`, 'm').test(text)) return text
  }
  throw new Error(`no profile ${name} is shipped`)
}
