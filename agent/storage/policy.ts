import { join } from 'node:path'
import type { Database } from 'better-sqlite3'
import { openSnapshot } from '../../cloud-sync/codec/index.ts'
import {
  comparePolicyOrder,
  type GatewayId,
  type Keyset,
  type PolicyOrder,
  type PolicySnapshot,
} from '../../cloud-sync/contract/index.ts'
import type { MembershipSink, PolicyOutcome } from '../../cloud-sync/gateway/index.ts'
import { recordEvent } from './events.ts'
import { readIfThere, replaceFile } from './files.ts'
import type { UsageLedger } from './usage.ts'
import type { Writer } from './writer.ts'
import { prepared } from './prepared.ts'

/** Highest version ever in force, beside the database, so that a restored database cannot bring back an old policy. */
const HIGH_WATER_FILE = 'policy-version'

export interface PolicyOptions {
  readonly folder: string
  readonly gateway: GatewayId
  /** Root public key, base64: `cloud.trust`, or the local root's without a cloud. Null = no snapshot is ever accepted. */
  readonly trust: string | null
  readonly ledger: UsageLedger
  readonly wallMs: () => number
}

interface Received {
  readonly snapshot: PolicySnapshot
  readonly keyset: Keyset
}

interface Kept {
  readonly version: number
  readonly bytes: Uint8Array
}

/** The snapshot in force. No snapshot, or one that does not verify any more, means deny. */
export class PolicyStore implements MembershipSink {
  readonly #writer: Writer
  readonly #options: PolicyOptions
  readonly #listeners = new Set<(snapshot: PolicySnapshot) => void>()
  #snapshot: PolicySnapshot | null = null
  #keyset: Keyset | undefined
  #highWater: number

  constructor(database: Database, writer: Writer, options: PolicyOptions) {
    this.#writer = writer
    this.#options = options
    this.#highWater = this.#readHighWater()
    const kept = prepared(database, 'SELECT version, bytes FROM policy').get() as Kept | undefined
    if (kept !== undefined) this.#load(kept)
  }

  version(): number {
    return this.#snapshot?.version ?? 0
  }

  keyset(): Keyset | undefined {
    return this.#keyset
  }

  current(): PolicySnapshot | null {
    return this.#snapshot
  }

  /** Called with each snapshot after it is committed and in force. */
  onApplied(listener: (snapshot: PolicySnapshot) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  async apply(message: Uint8Array): Promise<PolicyOutcome> {
    const opened = this.#open(message, this.#keyset)
    if (!opened.ok) return { applied: false, because: opened.because }
    const { snapshot } = opened
    const received = { ...opened, bytes: message }
    const refused = this.#refusal(received)
    if (refused !== null) return { applied: false, because: refused }
    const outcome = await this.#writer.submit((database): PolicyOutcome => {
      // Asked again, of the database: another carrier may have brought a newer one, even in this same transaction.
      const stored = prepared(database, 'SELECT version FROM policy').pluck().get() as number | undefined
      if (snapshot.version < (stored ?? 0)) return { applied: false, because: 'older' }
      if (snapshot.version === stored && !this.#isNewKeyset(received))
        return { applied: false, because: 'same' }
      return this.#store(database, received)
    })
    const isNewer = snapshot.version > this.version()
    if ((outcome.applied && isNewer) || this.#isNewKeyset(received)) this.#putInForce(received)
    return outcome
  }

  #open(bytes: Uint8Array, newestKeyset: PolicyOrder | undefined): ReturnType<typeof openSnapshot> {
    const { trust, gateway } = this.#options
    if (trust === null) return { ok: false, because: 'unsigned' }
    return openSnapshot({ rootPublicKey: trust, gateway, bytes, newestKeyset })
  }

  #refusal({ snapshot, keyset }: Received): 'same' | 'older' | null {
    if (snapshot.version < Math.max(this.version(), this.#highWater)) return 'older'
    return snapshot.version === this.version() && !this.#isNewKeyset({ snapshot, keyset }) ? 'same' : null
  }

  /** The snapshot in force, sent again under newer keys: nothing changes but whom to believe. */
  #isNewKeyset({ snapshot, keyset }: Received): boolean {
    return snapshot.version === this.version() && comparePolicyOrder(keyset, this.#keyset) > 0
  }

  #store(database: Database, { snapshot, keyset, bytes }: Received & { bytes: Uint8Array }): PolicyOutcome {
    prepared(database, 'INSERT OR REPLACE INTO policy (id, version, keyset, bytes) VALUES (1, ?, ?, ?)').run(
      snapshot.version,
      keyset.version,
      bytes,
    )
    if (snapshot.version === this.version()) return { applied: false, because: 'same' }
    recordEvent(database, {
      at: this.#options.wallMs(),
      kind: 'policy_applied',
      detail: { version: snapshot.version, before: this.version() },
    })
    // Owners may change with it: what was counted so far ends under the old ones, in this same transaction.
    this.#options.ledger.closeAtNextCommit()
    return { applied: true, version: snapshot.version }
  }

  #putInForce({ snapshot, keyset }: Received): void {
    const changed = snapshot.version !== this.version()
    this.#keyset = keyset
    if (!changed) return
    this.#snapshot = snapshot
    this.#raiseHighWater(snapshot.version)
    for (const listener of this.#listeners) listener(snapshot)
  }

  #load(kept: Kept): void {
    const opened = this.#open(kept.bytes, undefined)
    // Older than what was in force once: the database was set back (T16). Not signed by this root: claimed elsewhere.
    if (!opened.ok || kept.version < this.#highWater) return
    this.#snapshot = opened.snapshot
    this.#keyset = opened.keyset
    this.#raiseHighWater(kept.version)
  }

  #readHighWater(): number {
    const text = readIfThere(join(this.#options.folder, HIGH_WATER_FILE))
    const [trust, version] = (text ?? '').trim().split(' ')
    // Another root counts its versions anew.
    return trust === this.#options.trust && version !== undefined ? Number.parseInt(version, 10) || 0 : 0
  }

  #raiseHighWater(version: number): void {
    if (version <= this.#highWater) return
    this.#highWater = version
    replaceFile(join(this.#options.folder, HIGH_WATER_FILE), `${this.#options.trust ?? ''} ${version}\n`)
  }
}
