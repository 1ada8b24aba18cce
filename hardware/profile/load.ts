import { HardwareError } from '../errors.ts'
import { compileProfile } from './compile.ts'
import { runExample } from './example.ts'
import type { Profile } from './profile.ts'
import { ProfileFile } from './schema.ts'
import { type Fault, parseSource, type Source, zodFaults } from './source.ts'

function refuse(
  code: 'PROFILE_INVALID' | 'PROFILE_EXAMPLE_FAILED',
  name: string,
  lines: readonly string[],
): never {
  const what = code === 'PROFILE_INVALID' ? 'cannot be used' : 'does not do what its examples say'
  throw new HardwareError(
    code,
    `the profile ${name} ${what}:\n${lines.map((line) => `  ${line}`).join('\n')}\n`,
  )
}

/** The name for messages, as far as the file tells one. */
function nameIn(source: Source): string {
  const value = source.value
  const named = typeof value === 'object' && value !== null && 'profile' in value ? value.profile : undefined
  return typeof named === 'string' ? named.slice(0, 80) : '(unnamed)'
}

function unprovenOf(file: ProfileFile): string[] {
  const shown = new Set(file.examples.flatMap((example) => Object.keys(example.values ?? {})))
  return file.channels.flatMap((channel) => (shown.has(channel.id) ? [] : [channel.id]))
}

/** The first value that an example gives to each channel. */
function typicalOf(file: ProfileFile): Profile['typical'] {
  const typical = new Map<string, number | bigint | string>()
  for (const { values = {} } of file.examples) {
    for (const [id, value] of Object.entries(values)) {
      if (value !== null && !typical.has(id)) typical.set(id, value)
    }
  }
  return Object.fromEntries(typical)
}

/**
 * Reads a profile file and proves it by its own examples. Throws HardwareError PROFILE_INVALID with every fault and
 * its line, or PROFILE_EXAMPLE_FAILED with what each failing example expected and got.
 */
export function loadProfile(text: string): Profile {
  const source = parseSource(text)
  const name = nameIn(source)
  if (source.broken.length > 0) refuse('PROFILE_INVALID', name, source.broken)
  const parsed = ProfileFile.safeParse(source.value)
  if (!parsed.success) refuse('PROFILE_INVALID', name, source.describe(zodFaults(parsed.error)))
  const faults: Fault[] = []
  const compiled = compileProfile(parsed.data, faults)
  const profile: Profile = {
    ...compiled,
    typical: typicalOf(parsed.data),
    unproven: unprovenOf(parsed.data),
  }
  const known = new Set(profile.channels.map((channel) => channel.id))
  for (const [at, example] of parsed.data.examples.entries()) {
    for (const id of Object.keys(example.values ?? {})) {
      if (!known.has(id))
        faults.push({ path: ['examples', at, 'values', id], sentence: 'there is no such channel' })
    }
  }
  if (faults.length > 0) refuse('PROFILE_INVALID', name, source.describe(faults))
  const failed = parsed.data.examples.flatMap((example, at) => runExample(profile, example, at))
  if (failed.length > 0) refuse('PROFILE_EXAMPLE_FAILED', name, source.describe(failed))
  return profile
}
