import {
  comparePolicyOrder,
  type GatewayId,
  type OrgId,
  type PolicyOrder,
  type PolicySnapshot,
} from '../../contract/index.ts'
import type { Log } from '../log.ts'
import { followLog, type LogEntry } from './follow.ts'
import { type PendingPolicy, pendingAmong } from './pending.ts'
import {
  deltaBetween,
  lookAt,
  newestOf,
  noteApplied,
  type PolicyRow,
  type SealedPolicy,
  sealedIn,
  type Sealing,
  toldIn,
} from './sealing.ts'
import { type RegisteredGateway, Registry } from './registry.ts'
import { type Touched, touchedBy } from './touched.ts'
import { createTroubles, type PolicyTrouble, type Troubles } from './troubles.ts'

/** How often the log is looked at for what other processes wrote, ms. */
const FOLLOW_MS = 500
/** How often every gateway is compared, whatever the log says, ms. */
const SWEEP_MS = 3_600_000
/** How often a gateway whose policy could not be made is tried again, ms. */
const RETRY_MS = 30_000
/** A version older than this part of its freshness is renewed for a gateway that is there. */
const RENEWED_AFTER = 1 / 4

export interface PoliciesSettings extends Sealing {
  readonly log: Log
  /** Monotonic, ms. */
  readonly monoMs: () => number
}

/**
 * What gateways are told: for each the least of the directory that it needs, in versions. It follows the directory's
 * log, so it makes no difference which process wrote.
 */
export interface Policies {
  gateway(id: GatewayId): RegisteredGateway | undefined
  gateways(): readonly RegisteredGateway[]
  /** Gateways whose policy, the present or the next owner's, names the organisation. */
  gatewaysOf(org: OrgId): readonly GatewayId[]
  /** Gateways on which the organisation owns, or ever owned, something. */
  presenceOf(org: OrgId): ReadonlySet<GatewayId>
  /**
   * What `decide` asks: the newest policy of a gateway, whether or not it has reached it; while the gateway changes hands
   * it is the old owner's until the gateway has cut.
   */
  policyOf(id: GatewayId): PolicySnapshot | undefined
  /** The newest version as it travels; one that is getting old is renewed first. */
  sealedFor(id: GatewayId): Promise<SealedPolicy | undefined>
  /**
   * What a gateway that has this version is to be sent: a delta from it, or the whole where there is none or it would be
   * longer; undefined where it has the newest.
   */
  answerTo(id: GatewayId, have: PolicyOrder): Promise<Uint8Array | undefined>
  /**
   * A gateway says what is in force there: what is changed there will be judged by it, however long it takes to come. Never
   * rejects: the gateway says it again.
   */
  applied(id: GatewayId, version: number): Promise<void>
  /** What a gateway with this version in force has not heard yet. */
  pendingAt(id: GatewayId, applied: PolicyOrder): Promise<PendingPolicy>
  /** Compares every gateway, as after a change of keys. */
  recheck(): Promise<void>
  /** Resolves when everything that was committed before is in policies. */
  caughtUp(): Promise<void>
  /** Gateways that are not told everything, for whoever runs the cloud. */
  troubles(): readonly PolicyTrouble[]
  /** Called after the commit that made a new version; the returned way stops it. */
  onSealed(listener: (gateway: GatewayId, sealed: SealedPolicy) => void): () => void
  stop(): Promise<void>
}

/** Compares every gateway once, then follows the log until it is stopped. */
export async function startPolicies(settings: PoliciesSettings): Promise<Policies> {
  const { store, log, now, monoMs, terms } = settings
  const registry = new Registry(settings.keys)
  const cursor = followLog(store.read, monoMs)
  const turns = inTurns(log)

  const troubles = createTroubles(log)
  const look = createLook(settings, registry, troubles)
  const sweep = async (): Promise<void> => {
    for (const { id } of await store.read.find('gateway', {}, { orderBy: ['id'] }))
      await look(id as GatewayId)
  }
  /** Seen in the log, not yet in policies: stays here where that fails. */
  let entries: LogEntry[] = []
  let retriedAt = monoMs()
  const follow = async (): Promise<void> => {
    entries.push(...(await cursor.next()))
    const isRetry = monoMs() - retriedAt >= RETRY_MS
    const ids = new Set(isRetry ? troubles.toRetry() : [])
    if (isRetry) retriedAt = monoMs()
    const touched = entries.length === 0 ? NOTHING_TOUCHED : await touchedBy(store.read, entries)
    for (const id of touched.gateways) ids.add(id)
    for (const org of touched.organisations) for (const id of registry.gatewaysOf(org)) ids.add(id)
    for (const id of [...ids].sort()) await look(id)
    entries = []
  }

  const renewed = async (id: GatewayId): Promise<PolicyRow | undefined> => {
    const newest = await newestOf(store.read, id)
    const renewBefore = now() - terms.freshMs * RENEWED_AFTER
    if (newest !== undefined && newest.issued_at >= renewBefore) return newest
    return turns.take(() => look(id, renewBefore))
  }

  await cursor.begin()
  for (const { org, gateway } of await store.read.find('gateway_presence', {}))
    registry.notePresence(org, gateway as GatewayId)
  await sweep()
  const timers = [turns.every(FOLLOW_MS, follow), turns.every(SWEEP_MS, sweep)]

  return {
    gateway: (id) => registry.gateway(id),
    gateways: () => registry.gateways(),
    gatewaysOf: (org) => registry.gatewaysOf(org),
    presenceOf: (org) => registry.presenceOf(org),
    policyOf: (id) => registry.policyOf(id),
    async sealedFor(id) {
      const row = await renewed(id)
      return row && sealedIn(settings.keys, row)
    },
    async answerTo(id, have) {
      const row = await renewed(id)
      if (row === undefined || comparePolicyOrder(have, row) >= 0) return undefined
      const base = await store.read.get('gateway_policy', { gateway: id, ...have })
      return (base && deltaBetween(settings.keys, base, row)) ?? sealedIn(settings.keys, row).message
    },
    applied: (id, version) =>
      noteApplied(settings, id, version).catch((error: unknown) => {
        log.warn({ err: error, gateway: id }, 'what is in force at a gateway was not noted')
      }),
    async pendingAt(id, applied) {
      const rows = await store.read.find('gateway_policy', { gateway: id }, { orderBy: ['version'] })
      return pendingAmong(rows, applied)
    },
    caughtUp: () => turns.take(follow),
    recheck: () => turns.take(sweep),
    troubles: () => troubles.all(),
    onSealed: (listener) => registry.onSealed(listener),
    async stop() {
      for (const timer of timers) clearInterval(timer)
      await turns.idle()
    },
  }
}

const NOTHING_TOUCHED: Touched = { gateways: new Set(), organisations: new Set() }

const NOTHING_MISSING = { leftOut: {}, leftOutOf: {}, damaged: {} } as const

type Look = (id: GatewayId, renewBefore?: number) => Promise<PolicyRow | undefined>

/** Looks at one gateway; where that fails it is this gateway's trouble, and its last version stays. */
function createLook(settings: PoliciesSettings, registry: Registry, troubles: Troubles): Look {
  const { store } = settings
  return async (id, renewBefore = 0) => {
    try {
      const looked = await lookAt(settings, id, { renewBefore })
      if (looked === undefined) registry.forget(id)
      else registry.note(looked)
      troubles.made(id, looked ?? NOTHING_MISSING)
      return looked?.row
    } catch (error) {
      // Where the database is gone it is not this gateway: everything waits and is tried again.
      await store.read.find('gateway', {}, { limit: 1 })
      troubles.failed(id, error)
      if (registry.gateway(id) === undefined)
        await noteLast(settings, registry, id).catch((cause: unknown) => {
          troubles.failed(id, cause)
        })
      return newestOf(store.read, id)
    }
  }
}

/** What was in force before this process began goes on. */
async function noteLast({ store }: PoliciesSettings, registry: Registry, id: GatewayId): Promise<void> {
  const gateway = await store.read.get('gateway', { id })
  const row = await newestOf(store.read, id)
  if (gateway === undefined || row === undefined) return
  const content = toldIn(row)
  registry.note({ gateway, content, present: content, row, ...NOTHING_MISSING })
}

interface Turns {
  take<T>(work: () => Promise<T>): Promise<T>
  /** Again and again; a turn that still waits is not asked for twice. */
  every(ms: number, work: () => Promise<void>): NodeJS.Timeout
  idle(): Promise<void>
}

/** One after the other, so that no gateway is looked at twice at once. */
function inTurns(log: Log): Turns {
  let tail: Promise<unknown> = Promise.resolve()
  const take = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = tail.then(work)
    tail = turn.catch(() => undefined)
    return turn
  }
  return {
    take,
    every(ms, work) {
      let isWaiting = false
      const run = async (): Promise<void> => {
        isWaiting = false
        await work()
      }
      return setInterval(() => {
        if (isWaiting) return
        isWaiting = true
        take(run).catch((error: unknown) => {
          log.error({ err: error }, 'policies could not be made; tried again')
        })
      }, ms).unref()
    },
    idle: async () => {
      await tail
    },
  }
}
