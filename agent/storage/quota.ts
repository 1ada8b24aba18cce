import type { Database } from 'better-sqlite3'
import { billingDay, type OrgId, type QuotaShare, type WorkspaceId } from '../../cloud-sync/contract/index.ts'
import {
  type DaysOf,
  isMonthDue,
  type MonthBegun,
  monthAt,
  WorkspaceUse,
  type Zones,
} from '../metering/index.ts'
import { recordEvent } from './events.ts'
import { type Hold, holdExactly, holdsIn, noteDelivered } from './holds.ts'
import { readMeta, writeMeta } from './meta.ts'
import type { PolicyStore } from './policy/store.ts'
import { streamState } from './streams.ts'
import type { StoreClock, UsageLedger } from './usage.ts'
import type { Participant, Writer } from './writer.ts'

/** Where the meters stood when the month began, in meta. */
const KEPT = 'quota_month'

export interface QuotaParts {
  readonly ledger: UsageLedger
  readonly clock: StoreClock
  /** Of organisations, as the policy in force says. */
  readonly zones: () => Zones
  readonly writer: Writer
  readonly policy: Pick<PolicyStore, 'current' | 'onApplied'>
  /** Id of the newest committed window. */
  readonly lastWindow: () => number
}

/** How a workspace stands to one of its limits on this gateway. */
export interface QuotaFacts extends QuotaShare {
  readonly org: OrgId | null
  readonly used: bigint
  readonly isOver: boolean
}

/** What one look at the meters says. */
interface Look {
  readonly month: MonthBegun
  readonly over: ReadonlySet<WorkspaceId>
  readonly devices: ReadonlySet<string>
}

const NONE: ReadonlySet<never> = new Set()

/**
 * Compares what workspaces used with their shares before each commit, so that what a commit holds is decided by what was
 * committed before it. Of a workspace that is over its limit everything is taken, stored and metered as ever; what
 * leaves the gateway waits. Nobody else notices.
 */
export class Quota implements Participant {
  readonly name = 'quota'
  readonly #parts: QuotaParts
  readonly #listeners = new Set<() => void>()
  #month: MonthBegun
  #newestId = 0
  #over: ReadonlySet<WorkspaceId> = NONE
  #devices: ReadonlySet<string> = NONE
  #holds: readonly Hold[]
  /** Turns that are in the usage chain's next record already; a commit that is tried again must not note them twice. */
  #noted = ''
  readonly #delivered = new Map<number, number | null>()

  constructor(database: Database, parts: QuotaParts) {
    this.#parts = parts
    this.#month = keptMonth(database)
    this.#holds = holdsIn(database)
    this.#newestId = newestOf(parts.ledger.registers(), 0)
    const open = this.#holds.filter(({ last }) => last === null)
    this.#devices = new Set(open.flatMap(({ devices }) => [...devices]))
    this.#over = new Set(readMeta(database, OVER) as WorkspaceId[] | undefined)
    parts.policy.onApplied(() => {
      parts.writer.hurry()
    })
  }

  /** A month has begun that the next commit has to note. */
  isDue(): boolean {
    return isMonthDue(this.#month, this.#days())
  }

  /** The present day in UTC, and in the zones of organisations; nobody has one while time is not trusted. */
  #days(): { readonly day: string | null; readonly days: DaysOf } {
    const { day, trustedMs } = this.#parts.clock.now()
    if (trustedMs === null) return { day: null, days: new Map() }
    const zones = [...this.#parts.zones()]
    return { day, days: new Map(zones.map(([org, own]) => [org, billingDay(own, trustedMs).day])) }
  }

  /** The device's workspace is over a limit: what it publishes itself is refused. */
  isOver(device: string): boolean {
    return this.#devices.has(device)
  }

  /**
   * What the device gives, or gave in this window, is not for the local broker yet: its workspace is over, or earlier
   * readings come first.
   */
  waits(device: string, window = Number.MAX_SAFE_INTEGER): boolean {
    return this.#holds.some(
      ({ delivered, devices, first }) => delivered !== null && window >= first && devices.has(device),
    )
  }

  /** Whether any device waits at all: on most gateways none does. */
  get anyWaits(): boolean {
    return this.#holds.length > 0
  }

  /** Oldest first. */
  holds(): readonly Hold[] {
    return this.#holds
  }

  /** Holds that are over and whose readings the local broker has not got yet, oldest first. */
  undelivered(): readonly Hold[] {
    return this.#holds.filter(({ last, delivered }) => last !== null && delivered !== null)
  }

  /** Told to the local broker up to this window; null = it has caught up. In force at once, stored with the next commit. */
  delivered(id: number, upTo: number | null): void {
    this.#holds = this.#holds.map((hold) => (hold.id === id ? { ...hold, delivered: upTo } : hold))
    this.#delivered.set(id, upTo)
    this.#parts.writer.wake()
  }

  /** Called after each commit in which workspaces or devices began or ceased to wait. */
  onTurned(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** How every share in force stands, as committed. */
  facts(): QuotaFacts[] {
    const snapshot = this.#parts.policy.current()
    const shares = snapshot?.quotas ?? []
    if (snapshot === null || shares.length === 0) return []
    const use = new WorkspaceUse(this.#parts.ledger.registers(), this.#month, shares)
    const orgs = new Map(snapshot.workspaces.map(({ id, org }) => [id, org]))
    return shares.map((share) => ({
      ...share,
      org: orgs.get(share.workspace) ?? null,
      used: use.of(share),
      isOver: use.of(share) >= BigInt(share.limit),
    }))
  }

  write(database: Database): (() => void) | undefined {
    const look = this.#look(database)
    if (look === undefined && this.#delivered.size === 0) return undefined
    return this.#write(database, look ?? { month: this.#month, over: this.#over, devices: this.#devices })
  }

  #write(database: Database, look: Look): () => void {
    const stored = [...this.#delivered]
    for (const [id, upTo] of stored) noteDelivered(database, id, upTo)
    if (look.month !== this.#month) keepMonth(database, look.month)
    const changed = !sameSet(look.devices, this.#devices)
    if (changed) holdExactly(database, look.devices, this.#parts.lastWindow() + 1)
    const hasTurned = !sameSet(look.over, this.#over)
    if (hasTurned) this.#note(database, look.over)
    const newestId = newestOf(this.#parts.ledger.registers(), this.#newestId)
    const holds = changed || stored.length > 0 ? holdsIn(database) : this.#holds
    return () => {
      this.#month = look.month
      this.#newestId = newestId
      this.#over = look.over
      this.#devices = look.devices
      this.#holds = holds
      for (const [id, upTo] of stored) if (this.#delivered.get(id) === upTo) this.#delivered.delete(id)
      if (changed || hasTurned) for (const listener of this.#listeners) listener()
    }
  }

  /** Undefined where there are no limits and nothing to note: most gateways look no further. */
  #look(database: Database): Look | undefined {
    const { ledger } = this.#parts
    const { epoch } = streamState(database, 'usage')
    const policy = this.#parts.policy.current()
    const isFree = (policy?.quotas.length ?? 0) === 0 && this.#over.size === 0 && this.#devices.size === 0
    if (isFree && !this.isDue() && epoch === this.#month.epoch) return undefined
    const registers = ledger.registers()
    const month = monthAt(this.#month, { ...this.#days(), epoch, registers, newestId: this.#newestId })
    if (policy === null || policy.quotas.length === 0) return { month, over: NONE, devices: NONE }
    const over = new WorkspaceUse(registers, month, policy.quotas).over(policy.quotas)
    const held = policy.devices.filter(({ workspace }) => workspace !== null && over.has(workspace))
    return { month, over, devices: new Set(held.map(({ id }) => id)) }
  }

  /** An event for the cloud, and one in the usage chain of the owner. */
  #note(database: Database, over: ReadonlySet<WorkspaceId>): void {
    const orgs = new Map(this.#parts.policy.current()?.workspaces.map(({ id, org }) => [id, org]))
    const turned = [...new Set([...over, ...this.#over])].filter(
      (workspace) => over.has(workspace) !== this.#over.has(workspace),
    )
    writeMeta(database, OVER, [...over])
    const at = this.#parts.clock.now().wallMs
    for (const workspace of turned)
      recordEvent(database, { at, kind: 'quota_turned', detail: { workspace, blocked: over.has(workspace) } })
    const noted = JSON.stringify([turned, [...over]])
    if (noted === this.#noted) return
    this.#noted = noted
    for (const workspace of turned) {
      const org = orgs.get(workspace)
      if (org !== undefined) this.#parts.ledger.noteEvent({ name: 'quota', org })
    }
  }
}

/** Workspaces that were over when it was last told, in meta. */
const OVER = 'quota_over'

const newestOf = (registers: readonly { readonly id: number }[], atLeast: number): number =>
  registers.reduce((newest, { id }) => Math.max(newest, id), atLeast)

const sameSet = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean =>
  a.size === b.size && [...a].every((one) => b.has(one))

interface KeptMonth {
  readonly month: string | null
  /** Absent where a version before it wrote this. */
  readonly months?: Readonly<Record<string, string>>
  readonly epoch: string
  readonly ends: Readonly<Record<string, string>>
}

function keptMonth(database: Database): MonthBegun {
  const kept = readMeta(database, KEPT) as KeptMonth | undefined
  if (kept === undefined)
    return { month: null, months: {}, epoch: streamState(database, 'usage').epoch, ends: new Map() }
  const ends = Object.entries(kept.ends).map(([id, end]) => [Number(id), BigInt(end)] as const)
  return { ...kept, months: kept.months ?? {}, ends: new Map(ends) }
}

function keepMonth(database: Database, { month, months, epoch, ends }: MonthBegun): void {
  const kept = Object.fromEntries([...ends].map(([id, end]) => [id, String(end)]))
  writeMeta(database, KEPT, { month, months, epoch, ends: kept } satisfies KeptMonth)
}
