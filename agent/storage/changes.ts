import { randomBytes } from 'node:crypto'
import type { Database } from 'better-sqlite3'
import { decodeChange, encodeChange } from '../../cloud-sync/codec/index.ts'
import {
  type AccessChange,
  type Author,
  CLOUD_REPLICA,
  type ChangeAck,
  type ChangeVerdict,
  type Dot,
  type GatewayChange,
  type GatewayId,
  type GrantId,
  type PolicySnapshot,
  type ReplicaId,
} from '../../cloud-sync/contract/index.ts'
import type { ChangeOutbox, StoredChange } from '../../cloud-sync/gateway/index.ts'
import { AgentError } from '../errors.ts'
import { recordEvent } from './events.ts'
import { Disclosures, exposuresOf, keepExposures } from './exposures.ts'
import { readMeta, writeMeta } from './meta.ts'
import { prepared } from './prepared.ts'
import type { Writer } from './writer.ts'

/** Changes that the cloud has not taken up yet; on site there are a few. Beyond it nothing more is changed here. */
const CHANGES_MAX = 1_000
const REPLICA_META = 'change_replica'

/** Who makes a change and what they knew. */
interface Made {
  readonly author: Author
  /** Policy time, epoch ms. */
  readonly at: number
  /** The snapshot in force. */
  readonly snapshot: PolicySnapshot
}

interface Row {
  readonly seq: number
  readonly state: 'waiting' | ChangeVerdict['state']
  readonly body: Uint8Array
}

interface Kept extends Omit<Row, 'body'> {
  readonly body: Uint8Array
  readonly change: GatewayChange
}

export interface ChangeStoreOptions {
  readonly gateway: GatewayId
  readonly wallMs: () => number
  readonly newReplica?: () => string
}

/**
 * Changes of who may do what that were made here, and what became of them: stored before they count, sent
 * byte-identical until the cloud has judged them, counted on top of the snapshot until it has them or says no.
 */
export class ChangeStore implements ChangeOutbox {
  readonly #writer: Writer
  readonly #options: ChangeStoreOptions
  readonly #replica: ReplicaId
  readonly #waitingListeners = new Set<() => void>()
  readonly #listeners = new Set<() => void>()
  readonly #disclosures = new Disclosures()
  #keeping: Promise<void> | undefined
  #kept: Kept[]
  #last: number

  constructor(database: Database, writer: Writer, options: ChangeStoreOptions) {
    this.#writer = writer
    this.#options = options
    this.#replica = replicaOf(database, options.newReplica)
    const rows = prepared(database, 'SELECT seq, state, body FROM access_change ORDER BY seq').all() as Row[]
    this.#kept = rows.map((row) => ({ ...row, change: decodeChange(row.body) }))
    this.#last = (readMeta(database, 'change_last') as number | undefined) ?? 0
  }

  /** Changes that count on top of this snapshot, in order. */
  on(snapshot: PolicySnapshot): GatewayChange[] {
    const heard = snapshot.heard?.replica === this.#replica ? snapshot.heard.upTo : 0
    return this.#kept
      .filter(({ seq, state }) => seq > heard && (state === 'waiting' || state === 'accepted'))
      .map(({ change }) => change)
  }

  /** Stores a change; it counts from when this resolves. @throws AgentError STORE_FULL, CHANGE_REFUSED */
  async make({ author, at, snapshot }: Made, change: (dot: Dot) => AccessChange): Promise<GatewayChange> {
    if (this.#kept.length >= CHANGES_MAX)
      throw new AgentError('CHANGE_REFUSED', `${CHANGES_MAX} changes wait for the cloud`)
    const seq = (this.#last += 1)
    const dot: Dot = { replica: this.#replica, seq }
    const made: GatewayChange = {
      v: 1,
      gw: this.#options.gateway,
      ownerEpoch: snapshot.owner.ownerEpoch,
      proposal: {
        dot,
        seen: { [CLOUD_REPLICA]: snapshot.version, ...(seq > 1 && { [this.#replica]: seq - 1 }) },
        author,
        at,
        change: change(dot),
      },
    }
    const body = encodeChange(made)
    const stored = this.#writer.submit((database) => {
      prepared(database, "INSERT INTO access_change (seq, state, body) VALUES (?, 'waiting', ?)").run(
        seq,
        body,
      )
      writeMeta(database, 'change_last', seq)
      recordEvent(database, { at: this.#options.wallMs(), kind: 'access_change', detail: detailOf(made) })
    })
    this.#writer.hurry()
    try {
      await stored
    } catch (error) {
      // Its number is free again, unless a later one was given: the cloud takes them without holes.
      if (this.#last === seq) this.#last -= 1
      throw error
    }
    this.#kept.push({ seq, state: 'waiting', body, change: made })
    this.#tell()
    for (const listener of this.#waitingListeners) listener()
    return made
  }

  next(after: number): StoredChange | undefined {
    return this.#kept.find(({ seq, state }) => seq > after && state === 'waiting')
  }

  standing(): { replica: ReplicaId; from: number } {
    return { replica: this.#replica, from: this.next(0)?.seq ?? this.#last + 1 }
  }

  onWaiting(listener: () => void): () => void {
    this.#waitingListeners.add(listener)
    return () => void this.#waitingListeners.delete(listener)
  }

  /** Called when what counts here is another. */
  onChanged(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  async judged(ack: ChangeAck): Promise<void> {
    if (ack.replica !== this.#replica) return
    const waiting = new Set(this.#kept.filter(({ state }) => state === 'waiting').map(({ seq }) => seq))
    const news = ack.verdicts.filter(({ seq }) => seq <= ack.upTo && waiting.has(seq))
    if (news.length === 0) return
    const at = this.#options.wallMs()
    const disclosed = this.#disclosures.take()
    const stored = this.#writer.submit((database) => {
      keepExposures(database, disclosed)
      for (const verdict of news) this.#settle(database, verdict, at)
    })
    this.#writer.hurry()
    try {
      await stored
    } catch (error) {
      this.#disclosures.putBack(disclosed)
      throw error
    }
    const states = new Map(news.map(({ seq, state }) => [seq, state]))
    this.#kept = this.#kept
      .map((kept) => ({ ...kept, state: states.get(kept.seq) ?? kept.state }))
      .filter(({ state }) => state === 'waiting' || state === 'accepted')
    this.#tell()
  }

  /** Forgets what the snapshot in force has; what still waits for its verdict has yet to say what it disclosed. */
  async forget(snapshot: PolicySnapshot): Promise<void> {
    const { heard } = snapshot
    if (heard === null || heard.replica !== this.#replica) return
    if (!this.#kept.some(({ seq, state }) => seq <= heard.upTo && state !== 'waiting')) return
    await this.#writer.submit((database) => {
      prepared(database, "DELETE FROM access_change WHERE seq <= ? AND state != 'waiting'").run(heard.upTo)
      prepared(
        database,
        'DELETE FROM exposure WHERE seq <= ? AND seq NOT IN (SELECT seq FROM access_change)',
      ).run(heard.upTo)
    })
    this.#kept = this.#kept.filter(({ seq, state }) => seq > heard.upTo || state === 'waiting')
  }

  /** Which shares that were made here, and are not the cloud's yet, count on top of this snapshot: id to number. */
  provisional(snapshot: PolicySnapshot): Map<GrantId, number> {
    return new Map(
      this.on(snapshot).flatMap(({ proposal: { dot, change } }) =>
        change.kind === 'grant.add' ? [[change.grant.id, dot.seq] as const] : [],
      ),
    )
  }

  /** Something reached somebody by such a share alone. Kept with the writer's next commits, else tried again later. */
  disclosed(seq: number, to: { readonly principal: string; readonly what: string }): void {
    this.#disclosures.note(seq, to, this.#options.wallMs())
    this.#keeping ??= this.#keep().finally(() => {
      this.#keeping = undefined
    })
  }

  /** What has been disclosed meanwhile is kept with the next commit, which is the last before the store closes. */
  keepAtNextCommit(): void {
    void this.#keep()
  }

  async #keep(): Promise<void> {
    for (;;) {
      const taken = this.#disclosures.take()
      if (taken.length === 0) return
      try {
        await this.#writer.submit((database) => {
          keepExposures(database, taken)
        })
      } catch {
        // The disk is full or failing, which the writer itself reports: the next disclosure tries again.
        this.#disclosures.putBack(taken)
        return
      }
    }
  }

  /** In the transaction that takes the verdict: a refused change goes, with a record of what it disclosed. */
  #settle(database: Database, { seq, state, because, winner }: ChangeVerdict, at: number): void {
    if (state === 'accepted') {
      prepared(database, "UPDATE access_change SET state = 'accepted' WHERE seq = ?").run(seq)
      return
    }
    const detail = { seq, state, because, winner }
    recordEvent(database, { at, kind: 'access_change_undone', detail })
    for (const exposure of exposuresOf(database, seq)) {
      recordEvent(database, { at, kind: 'access_exposure', detail: { ...detail, ...exposure } })
    }
    prepared(database, 'DELETE FROM access_change WHERE seq = ?').run(seq)
    prepared(database, 'DELETE FROM exposure WHERE seq = ?').run(seq)
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}

function detailOf({ proposal: { dot, author, change } }: GatewayChange): Record<string, string | number> {
  return { seq: dot.seq, change: change.kind, by: `${author.org}:${author.name}` }
}

/** One for each database: a gateway that lost its own never gives two changes the same name. */
function replicaOf(database: Database, fresh = () => randomBytes(16).toString('hex')): ReplicaId {
  const known = readMeta(database, REPLICA_META)
  if (typeof known === 'string') return known as ReplicaId
  const made = fresh()
  writeMeta(database, REPLICA_META, made)
  return made as ReplicaId
}
