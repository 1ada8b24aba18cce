import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const NAME = /^([a-z0-9-]{1,64})\/[1-9][0-9]{0,5}$/

const textOf = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw cause
  }
}

/**
 * Finds profiles: `acme-t1/1` is one that comes with headgate, if its file has that very version; anything else is a
 * file, seen from `folder`. undefined where there is none.
 */
export const profileTextNear =
  (folder: string) =>
  (name: string): string | undefined => {
    const shipped = NAME.exec(name)
    if (shipped?.[1] !== undefined) {
      const text = textOf(join(import.meta.dirname, '../profiles', `${shipped[1]}.yaml`))
      if (text?.includes(`profile: ${name}\n`) === true) return text
    }
    return textOf(resolve(folder, name))
  }
