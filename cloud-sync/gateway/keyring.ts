import { comparePolicyOrder, type GatewayId, type Keyset } from '../contract/index.ts'
import { keysetLookup, openSnapshot } from '../codec/index.ts'

/** The cloud's signing keys as this process knows them: the newest keyset under the root, stored or just received. */
export class Keyring {
  readonly #root: string
  readonly #gateway: GatewayId
  #keyset: Keyset | undefined

  constructor(rootPublicKey: string, gateway: GatewayId) {
    this.#root = rootPublicKey
    this.#gateway = gateway
  }

  get isEmpty(): boolean {
    return this.#keyset === undefined
  }

  /** A keyset from the store; true where it is newer. */
  learn(keyset: Keyset | undefined): boolean {
    if (keyset === undefined || comparePolicyOrder(keyset, this.#keyset) <= 0) return false
    this.#keyset = keyset
    return true
  }

  /** The keyset that a snapshot message carries, where it is properly signed; true where it is newer. */
  learnFrom(snapshotMessage: Uint8Array): boolean {
    const opened = openSnapshot({
      rootPublicKey: this.#root,
      gateway: this.#gateway,
      bytes: snapshotMessage,
      newestKeyset: this.#keyset,
    })
    return opened.ok && this.learn(opened.keyset)
  }

  readonly publicKeyFor = (keyId: string): string | undefined =>
    this.#keyset === undefined ? undefined : keysetLookup(this.#keyset)(keyId)
}
