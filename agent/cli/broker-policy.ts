import { createHash, timingSafeEqual } from 'node:crypto'
import type { BrokerPolicy, ConnectAnswer, Credentials, Principal } from '../../broker/index.ts'

/** Who may use a broker that stands alone. */
export interface Doors {
  /** Whoever names no user gets in, and all of them are one principal. */
  readonly open: boolean
  /** User name to SHA-256 of the key, 64 hexadecimal digits. */
  readonly users: ReadonlyMap<string, string>
  /** A SUBSCRIBE of exactly such a filter is refused. */
  readonly deniedFilters: ReadonlySet<string>
}

const OPEN: Principal = { id: 'anonymous' }

/** Stands in for the hash of a user who is not there, so that both answers take as long. */
const NOBODY = '0'.repeat(64)

const sameHash = (password: Uint8Array, hash: string): boolean =>
  timingSafeEqual(createHash('sha256').update(password).digest(), Buffer.from(hash, 'hex'))

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
    const right = sameHash(password ?? new Uint8Array(), known ?? NOBODY)
    return right ? this.#named(username) : { allowed: false, because: 'bad-credentials' }
  }

  #named(name: string): ConnectAnswer<Principal> {
    const principal = this.#principals.get(name)
    return principal === undefined
      ? { allowed: false, because: 'bad-credentials' }
      : { allowed: true, principal }
  }
}
