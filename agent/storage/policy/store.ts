import type { Database } from 'better-sqlite3'
import { isDelta, joinPolicy, splitPolicy } from '../../../cloud-sync/codec/index.ts'
import {
  comparePolicyOrder,
  type GatewayId,
  type Keyset,
  type OrgId,
  type PolicyOrder,
  type PolicySnapshot,
} from '../../../cloud-sync/contract/index.ts'
import type { MembershipSink, PolicyOutcome, PolicyRefusal } from '../../../cloud-sync/gateway/index.ts'
import type { PolicyTime } from '../../clock/index.ts'
import { recordEvent } from '../events.ts'
import type { UsageLedger } from '../usage.ts'
import type { Writer } from '../writer.ts'
import { judgeArrival, type PolicyMark } from './arrival.ts'
import { HighWater } from './high-water.ts'
import { markOf, type PolicyReader, readMessage, readRows, type Verified } from './read.ts'
import { PolicyRefusals } from './refusals.ts'
import { readPolicyRows, storeChange, storeSnapshot } from './rows.ts'

export interface PolicyOptions extends PolicyReader {
  readonly folder: string
  readonly gateway: GatewayId
  /** Root public key, base64: `cloud.trust`, or the local root's without a cloud. Null = no snapshot is ever accepted. */
  readonly trust: string | null
  readonly ledger: UsageLedger
  readonly time: PolicyTime
  readonly wallMs: () => number
  readonly monoMs: () => number
}

/** Whoever owns the gateway, or a device that was there before, and did not. */
function newOwners(before: PolicySnapshot | null, after: PolicySnapshot): Set<OrgId> {
  const owned = ({ org, ownerEpoch }: { org: OrgId; ownerEpoch: number }): string => `${org} ${ownerEpoch}`
  if (before === null) return new Set()
  const devices = new Map(before.devices.map((device) => [device.id, owned(device)]))
  const changed = after.devices.filter(
    (device) => devices.has(device.id) && devices.get(device.id) !== owned(device),
  )
  const gateway = owned(before.owner) === owned(after.owner) ? [] : [after.owner.org]
  return new Set([...gateway, ...changed.map(({ org }) => org)])
}

const refused = (because: 'same' | PolicyRefusal): PolicyOutcome => ({ applied: false, because })

/**
 * The policy in force. None, or one that does not verify any more, or one older than the newest ever in force here means
 * deny; whatever carrier brings a whole snapshot that is not older ends that.
 */
export class PolicyStore implements MembershipSink {
  readonly #database: Database
  readonly #writer: Writer
  readonly #options: PolicyOptions
  readonly #highWater: HighWater
  readonly #refusals: PolicyRefusals
  readonly #listeners = new Set<(snapshot: PolicySnapshot) => void>()
  readonly #storedListeners = new Set<(snapshot: PolicySnapshot) => void>()
  #overruling: PolicySnapshot | null = null
  #policy: Verified | null = null
  /** Carriers take turns: each is judged by what the one before left behind. */
  #tail: Promise<unknown> = Promise.resolve()

  constructor(database: Database, writer: Writer, options: PolicyOptions) {
    this.#database = database
    this.#writer = writer
    this.#options = options
    this.#highWater = new HighWater(options.folder, options.trust ?? '')
    this.#refusals = new PolicyRefusals(options.monoMs)
    this.#load()
  }

  version(): number {
    return this.#policy?.snapshot.version ?? 0
  }

  keyset(): Keyset | undefined {
    return this.#policy?.keyset
  }

  current(): PolicySnapshot | null {
    return this.#overruling ?? this.stored()
  }

  /** What the cloud said last, in force or overruled. */
  stored(): PolicySnapshot | null {
    return this.#policy?.snapshot ?? null
  }

  /**
   * Puts something else in force than what is stored: what a claim or a release on site says, until the cloud has said
   * something about it. Not stored: whoever says it says it again at each start. Null ends it.
   */
  overrule(snapshot: PolicySnapshot | null): void {
    const before = this.#overruling
    this.#overruling = snapshot
    const now = this.current()
    if (now === null || (before === null && snapshot === null)) return
    for (const listener of this.#listeners) listener(now)
  }

  /** The newest policy ever in force here, which is not in force where the database was set back; null = never one. */
  newest(): PolicyMark | null {
    return this.#highWater.mark()
  }

  /** Policies refused since the start, by reason. */
  refusals(): Readonly<Record<PolicyRefusal, number>> {
    return this.#refusals.counts()
  }

  /** The policy in force as it was signed, for `apply` of this gateway; undefined where there is none. */
  exported(): Uint8Array | undefined {
    const rows = this.#policy === null ? undefined : readPolicyRows(this.#database)
    return rows === undefined ? undefined : joinPolicy([rows.snapshot, ...rows.changes])
  }

  /** Called with each policy after it is committed, also where something else is in force. */
  onStored(listener: (snapshot: PolicySnapshot) => void): () => void {
    this.#storedListeners.add(listener)
    return () => void this.#storedListeners.delete(listener)
  }

  /** Called with each policy after it is committed and in force. */
  onApplied(listener: (snapshot: PolicySnapshot) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /**
   * Judges bytes of any carrier: a snapshot, a change, or several joined. Applied = committed and in force. Whatever the
   * bytes, the answer is a value; rejects only where the store does (STORE_FULL, STORE_FAILED), and then nothing changed.
   */
  apply(bytes: Uint8Array): Promise<PolicyOutcome> {
    const turn = this.#tail.then(() => this.#applyAll(bytes))
    this.#tail = turn.catch(() => undefined)
    return turn
  }

  /** Writes the newest version and policy time beside the database. A full disk undoes nothing: it is tried again. */
  tryToKeep(): void {
    try {
      this.#highWater.keep(this.#options.time.when().at)
    } catch {
      this.#recordEvent('policy_mark_not_written', { version: this.version() })
    }
  }

  async #applyAll(bytes: Uint8Array): Promise<PolicyOutcome> {
    let messages: readonly Uint8Array[]
    try {
      messages = splitPolicy(bytes)
    } catch {
      messages = [new Uint8Array()]
    }
    let outcome = refused('same')
    for (const message of messages) {
      const next = await this.#applyOne(message)
      // Of several, the first are often known already.
      if (!next.applied && next.because !== 'same' && next.because !== 'older') return next
      if (next.applied || !outcome.applied) outcome = next
    }
    return outcome
  }

  async #applyOne(message: Uint8Array): Promise<PolicyOutcome> {
    const read = readMessage(this.#options, message, {
      base: this.#policy,
      newestKeyset: this.#newestKeyset(),
    })
    if (!read.ok) return read.because === 'same' ? refused('same') : this.#refuse(read.because)
    const { policy } = read
    const judged = judgeArrival(markOf(policy), { mark: this.#highWater.mark(), inForce: this.#order() })
    if (judged === 'same') {
      // The snapshot in force, sent again under newer keys: nothing changes but whom to believe.
      if (comparePolicyOrder(policy.keyset, this.#policy?.keyset) <= 0) return refused('same')
      await this.#commit((database) => {
        this.#storeWhole(database, policy, message)
      })
      this.#putInForce(policy)
      return refused('same')
    }
    if (judged !== 'news') return this.#refuse(judged, policy.snapshot)
    await this.#commit((database) => {
      this.#store(database, policy, message)
    })
    this.#putInForce(policy)
    return { applied: true, version: policy.snapshot.version }
  }

  /** In one transaction, at once: a revocation waits for nobody's window. */
  #commit(write: (database: Database) => void): Promise<void> {
    const committed = this.#writer.submit(write)
    this.#writer.hurry()
    return committed
  }

  #store(database: Database, policy: Verified, message: Uint8Array): void {
    const { version, generation } = policy.snapshot
    if (isDelta(message)) storeChange(database, version, message)
    else this.#storeWhole(database, policy, message)
    recordEvent(database, {
      at: this.#options.wallMs(),
      kind: 'policy_applied',
      detail: { version, generation, before: this.version(), bytes: message.length },
    })
    // Owners may change with it: what was counted so far ends under the old ones, in this same transaction.
    this.#options.ledger.closeAtNextCommit()
    for (const org of newOwners(this.#policy?.snapshot ?? null, policy.snapshot))
      this.#options.ledger.noteEvent({ name: 'owner_change', org })
  }

  #storeWhole(database: Database, { snapshot, keyset }: Verified, bytes: Uint8Array): void {
    storeSnapshot(database, { version: snapshot.version, keyset: keyset.version, bytes })
  }

  #putInForce(policy: Verified): void {
    const before = this.#policy
    const { snapshot } = policy
    const isChanged = before?.hash !== policy.hash
    const isAnew = snapshot.generation > (this.#highWater.mark()?.generation ?? snapshot.generation)
    this.#policy = policy
    const { time } = this.#options
    if (isAnew) time.beginAnew(snapshot.issuedAt)
    else if (isChanged) time.learn(snapshot.issuedAt)
    this.#highWater.raise(markOf(policy), policy.keyset, time.when().at)
    if (isChanged) {
      if (this.#overruling === null) for (const listener of this.#listeners) listener(snapshot)
      for (const listener of this.#storedListeners) listener(snapshot)
    }
    // Last: until it is written, the database is no older than it.
    this.tryToKeep()
  }

  #load(): void {
    const { time } = this.#options
    time.atLeast(this.#highWater.at())
    if (this.#highWater.isDamaged) this.#recordEvent('policy_mark_lost', {})
    const rows = readPolicyRows(this.#database)
    if (rows === undefined) return
    const policy = readRows(this.#options, rows)
    const mark = this.#highWater.mark()
    if (policy === undefined) {
      // Damaged, or not signed by this root: claimed elsewhere.
      this.#recordEvent('policy_unreadable', { newest: mark?.version ?? 0 })
      return
    }
    const { snapshot, keyset } = policy
    if (comparePolicyOrder(snapshot, mark ?? undefined) < 0) {
      // Older than what was in force once: the database was set back (T16).
      this.#recordEvent('policy_set_back', { version: snapshot.version, newest: mark?.version ?? 0 })
      return
    }
    this.#policy = policy
    time.atLeast(snapshot.issuedAt)
    this.#highWater.raise(markOf(policy), keyset, time.when().at)
    this.tryToKeep()
  }

  #refuse(because: PolicyRefusal, snapshot?: PolicySnapshot): PolicyOutcome {
    const untold = this.#refusals.count(because)
    if (untold === undefined) return refused(because)
    const { version = null, generation = null } = snapshot ?? {}
    const detail = { because, version, generation, inForce: this.version(), untold }
    // Two contents under one number: somebody has the cloud's keys, or the cloud forgot what it had said.
    if (because === 'altered') this.#recordEvent('policy_altered', detail)
    else this.#recordEvent('policy_refused', detail)
    return refused(because)
  }

  /** Best effort: a store that takes nothing must not turn a refusal into a failure. */
  #recordEvent(kind: string, detail: Record<string, string | number | null>): void {
    const at = this.#options.wallMs()
    this.#writer
      .submit((database) => {
        recordEvent(database, { at, kind, detail })
      })
      .catch(() => undefined)
  }

  #order(): PolicyOrder | null {
    return this.#policy?.snapshot ?? null
  }

  #newestKeyset(): PolicyOrder | undefined {
    const [noted, inForce] = [this.#highWater.keyset(), this.#policy?.keyset]
    return comparePolicyOrder(noted, inForce) > 0 ? noted : inForce
  }
}
