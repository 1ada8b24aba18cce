import { z } from 'zod'
import type { BrokerPolicy, ConnectAnswer, Credentials, Principal } from '../../broker/index.ts'
import { sameHash, sha256 } from '../../cloud-sync/codec/index.ts'
import { Hash, MemberName } from '../../cloud-sync/contract/index.ts'
import { parseYaml } from '../config/config.ts'
import { ConfigError, faultsOf } from '../config/fault.ts'

const USERS_MAX = 1_000

const UsersFile = z.strictObject({
  users: z.array(z.strictObject({ name: MemberName, keyHash: Hash })).max(USERS_MAX),
})

/** Who may use a broker that stands alone. */
export interface Doors {
  /** Whoever names no user gets in, and all of them are one principal. */
  readonly open: boolean
  /** User name to SHA-256 of the key. */
  readonly users: ReadonlyMap<string, Hash>
  /** A SUBSCRIBE of exactly such a filter is refused. */
  readonly deniedFilters: ReadonlySet<string>
}

/** Users of a YAML text `users: [{ name, keyHash }]`. @throws ConfigError (CONFIG_INVALID) that names every fault */
export function usersOf(text: string, name: string): Map<string, Hash> {
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

const OPEN: Principal = { id: 'anonymous' }

/** Stands in for the hash of a user who is not there, so that both answers take as long. */
const NOBODY = '0'.repeat(64) as Hash

/** Everything is allowed to whoever gets in; it is the owner's own network. */
export class StandalonePolicy implements BrokerPolicy<Principal> {
  readonly #doors: Doors
  readonly #principals = new Map<string, Principal>()

  constructor(doors: Doors) {
    this.#doors = doors
    for (const name of doors.users.keys()) this.#principals.set(name, { id: `user:${name}` })
  }

  connect({ username, password, certificate }: Credentials): Promise<ConnectAnswer<Principal>> {
    const name = password === null ? (certificate?.commonName ?? null) : null
    return Promise.resolve(
      name !== null && (username ?? name) === name && this.#principals.has(name)
        ? this.#named(name)
        : this.#logIn(username, password),
    )
  }

  principal(id: string): Principal | undefined {
    if (id === OPEN.id) return this.#doors.open ? OPEN : undefined
    return this.#principals.get(id.replace(/^user:/, ''))
  }

  mayPublish(): 'allow' {
    return 'allow'
  }

  maySubscribe(_principal: Principal, filter: string): boolean {
    return !this.#doors.deniedFilters.has(filter)
  }

  mayReceive(): boolean {
    return true
  }

  #logIn(username: string | null, password: Uint8Array | null): ConnectAnswer<Principal> {
    if (username === null || this.#doors.users.size === 0) {
      return this.#doors.open
        ? { allowed: true, principal: OPEN }
        : { allowed: false, because: 'bad-credentials' }
    }
    const known = this.#doors.users.get(username)
    const right = sameHash(sha256(password ?? new Uint8Array()), known ?? NOBODY)
    return right ? this.#named(username) : { allowed: false, because: 'bad-credentials' }
  }

  #named(name: string): ConnectAnswer<Principal> {
    const principal = this.#principals.get(name)
    return principal === undefined
      ? { allowed: false, because: 'bad-credentials' }
      : { allowed: true, principal }
  }
}
