import { readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'

/** Largest profile file, bytes. */
const PROFILE_BYTES_MAX = 1024 * 1024
const SHIPPED = resolve(import.meta.dirname, '../../hardware/profiles')

export type ProfileFile =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly because: string }

export type ProfileReader = (profile: string) => ProfileFile

/**
 * Gives the text of a profile: `name/version` is a shipped one, anything that ends in .yaml a file, relative to
 * `dir`. Each is read once. Whether the text is a good profile is the hardware side's business.
 */
export function profileReader(dir: string): ProfileReader {
  const known = new Map<string, ProfileFile>()
  return (profile) => {
    const file = known.get(profile) ?? readProfile(profile, dir)
    known.set(profile, file)
    return file
  }
}

/** Texts of all profiles that come with headgate. */
export const shippedProfiles = (): string[] =>
  readdirSync(SHIPPED)
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .map((name) => readFileSync(resolve(SHIPPED, name), 'utf8'))

function readProfile(profile: string, dir: string): ProfileFile {
  const [name = '', version] = profile.split('/')
  const isFile = /\.ya?ml$/.test(profile)
  const path = isFile ? resolve(dir, profile) : resolve(SHIPPED, `${name}.yaml`)
  const text = read(path)
  if (text === undefined) {
    return {
      ok: false,
      because: isFile
        ? `cannot be read from ${path}`
        : `names no shipped profile; for an own one give its file`,
    }
  }
  if (text.length > PROFILE_BYTES_MAX) return { ok: false, because: 'is too large for a profile' }
  const shipped = /^profile:\s*["']?[a-z0-9-]+\/(\d+)/m.exec(text)?.[1]
  if (!isFile && shipped !== version) {
    return { ok: false, because: `is not the shipped version, which is ${name}/${shipped ?? '?'}` }
  }
  return { ok: true, text }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // Why it cannot be read does not matter to whoever wrote the name: the path is in the answer.
    return undefined
  }
}
