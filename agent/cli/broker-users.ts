import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { Hash, MemberName } from '../../cloud-sync/contract/index.ts'
import { parseYaml } from '../config/config.ts'
import { ConfigError, faultsOf } from '../config/fault.ts'
import { AgentError } from '../errors.ts'

const USERS_MAX = 1_000

const UsersFile = z.strictObject({
  users: z.array(z.strictObject({ name: MemberName, keyHash: Hash })).max(USERS_MAX),
})

/** Name to key hash of each user in a file. @throws AgentError CONFIG_UNREADABLE, ConfigError (CONFIG_INVALID) */
export function usersIn(file: string): Map<string, Hash> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new AgentError('CONFIG_UNREADABLE', `cannot read ${file}`, { cause })
  }
  return usersOf(text, file)
}

/** A YAML text `users: [{ name, keyHash }]`; every fault is named at once. */
function usersOf(text: string, name: string): Map<string, Hash> {
  const { file, locate } = parseYaml(text, name)
  const parsed = UsersFile.safeParse(file, { reportInput: true })
  if (!parsed.success) {
    throw new ConfigError(
      name,
      parsed.error.issues.flatMap((issue) => faultsOf(issue, locate)),
    )
  }
  const users = new Map<string, Hash>()
  const faults = parsed.data.users.flatMap((user, at) => {
    if (users.has(user.name)) return [locate.fault(['users', at, 'name'], 'is there twice')]
    users.set(user.name, user.keyHash)
    return []
  })
  if (faults.length > 0) throw new ConfigError(name, faults)
  return users
}
