import { setImmediate } from 'node:timers/promises'
import type { GatewayId } from '../../contract/index.ts'
import type { Claims } from '../claims.ts'
import type { GatewayChanges } from '../gateway-changes.ts'
import type { Log } from '../log.ts'
import type { CloudDatabase } from '../storage/index.ts'
import type { Incoming } from './open.ts'
import type { Answer, Outcome } from './posting.ts'
import { settleTogether } from './settle.ts'

/** Messages posted in one transaction: one fsync for many gateways. */
const TOGETHER_MAX = 256
/** What may wait; beyond it messages are dropped unanswered, and their gateways send them again. */
const WAITING_MAX = 8_192
const WAITING_BYTES_MAX = 64 * 1024 * 1024

export interface LedgerWorker {
  /** False where too much waits already. */
  offer(incoming: Incoming): boolean
  /** Resolves when everything offered so far is committed or given up. */
  idle(): Promise<void>
  readonly counts: WorkerCounts
}

export interface WorkerCounts {
  /** Messages committed, answered or not. */
  posted: number
  commits: number
  dropped: number
  failed: number
  conflicts: number
  unannounced: number
  unreadable: number
  /** Stretches of records that nobody has any more. */
  lost: number
}

const NO_COUNTS: WorkerCounts = {
  posted: 0,
  commits: 0,
  dropped: 0,
  failed: 0,
  conflicts: 0,
  unannounced: 0,
  unreadable: 0,
  lost: 0,
}

function countIn(counts: WorkerCounts, outcomes: readonly Outcome[]): void {
  counts.posted += outcomes.length
  for (const { unannounced, unreadable, lost } of outcomes) {
    if (unannounced === true) counts.unannounced += 1
    if (unreadable !== undefined) counts.unreadable += 1
    if (lost !== undefined) counts.lost += 1
  }
}

export interface WorkerSettings {
  readonly db: CloudDatabase
  /** Wall clock, epoch ms. */
  readonly now: () => number
  /** Monotonic, ms. */
  readonly monoMs: () => number
  readonly log: Log
  /** Receipts are taken before the events that bring them are acknowledged. */
  readonly claims?: Pick<Claims, 'take'>
  /** Changes are in the directory before anything is said about them. */
  readonly changes?: GatewayChanges
  /** Called after the commit, in the order of the messages. */
  readonly committed: (outcomes: readonly Outcome[]) => void
}

/**
 * Posts messages one transaction at a time, in the order they came, as many together as wait. A transaction that fails
 * is tried again message by message, so that one bad message never holds up another gateway's.
 *
 * @param share of what may wait in all
 */
export function createWorker(settings: WorkerSettings, share = 1): LedgerWorker {
  const { log } = settings
  const waiting: Incoming[] = []
  let waitingBytes = 0
  let running: Promise<void> | undefined
  const counts: WorkerCounts = { ...NO_COUNTS }

  /** Commits the first of these messages, as many as there is time for, and returns how many. */
  const commit = async (together: readonly Incoming[]): Promise<number> => {
    const heard = await takeIntoDirectory(together, settings)
    const outcomes = (await settleTogether(together, settings)).map((outcome, at) => ({
      ...outcome,
      ...heard[at],
    }))
    counts.commits += 1
    countIn(counts, outcomes)
    counts.conflicts += warnOf(outcomes, log)
    settings.committed(outcomes)
    return outcomes.length
  }

  const commitEach = async (together: readonly Incoming[], cause: unknown): Promise<void> => {
    log.error({ err: cause, messages: together.length }, 'a commit failed; trying its messages one by one')
    for (const incoming of together) {
      try {
        await commit([incoming])
      } catch (error) {
        counts.failed += 1
        log.error(
          { err: error, gateway: incoming.gateway, what: incoming.what },
          'not posted, not acknowledged',
        )
      }
    }
  }

  const next = async (): Promise<number> => {
    const together = waiting.slice(0, TOGETHER_MAX)
    try {
      return await commit(together)
    } catch (error) {
      await commitEach(together, error)
      return together.length
    }
  }

  const run = async (): Promise<void> => {
    while (waiting.length > 0) {
      await noMoreComes(waiting)
      const done = waiting.splice(0, await next())
      waitingBytes -= done.reduce((sum, incoming) => sum + bytesOf(incoming), 0)
    }
    running = undefined
  }

  return {
    counts,
    offer(incoming) {
      if (waiting.length >= WAITING_MAX * share || waitingBytes >= WAITING_BYTES_MAX * share) {
        counts.dropped += 1
        return false
      }
      waiting.push(incoming)
      waitingBytes += bytesOf(incoming)
      running ??= run()
      return true
    },
    idle: async () => {
      while (running !== undefined) await running
    },
  }
}

/**
 * What comes in turns of the loop that follow each other goes together, because a commit costs the same for all of it;
 * one turn at least, so that the sockets are read.
 */
async function noMoreComes(waiting: readonly Incoming[]): Promise<void> {
  let before: number
  do {
    before = waiting.length
    await setImmediate()
  } while (waiting.length > before && waiting.length < TOGETHER_MAX)
}

/** The directory is a database of its own, so it goes first; taken twice, everything counts once. */
async function takeIntoDirectory(
  together: readonly Incoming[],
  { claims, changes }: WorkerSettings,
): Promise<Pick<Outcome, 'heard'>[]> {
  const taken: Pick<Outcome, 'heard'>[] = []
  for (const incoming of together) {
    if (incoming.what === 'evt') await claims?.take(incoming.gateway, incoming.batch.events)
    const heard = incoming.what === 'prop' ? await changes?.take(incoming.change, incoming.body) : undefined
    taken.push(heard === undefined ? {} : { heard })
  }
  return taken
}

/** Answers how many gateways contradict the ledger. */
function warnOf(outcomes: readonly Outcome[], log: Log): number {
  for (const { gateway, incomplete } of outcomes)
    if (incomplete !== undefined) log.warn({ gateway, incomplete }, 'a day is not what its gateway counted')
  for (const { gateway, unreadable, lost } of outcomes) {
    if (lost !== undefined) log.warn(lost, 'records that nobody has any more; the ledger goes on behind them')
    if (unreadable !== undefined)
      log.warn({ gateway, ...unreadable }, 'a record of usage cannot be read; kept apart')
  }
  const alarms = alarmsIn(outcomes)
  for (const alarm of alarms) log.warn(alarm, 'a gateway contradicts the ledger; kept apart')
  const held = outcomes.flatMap((outcome) => outcome.held ?? [])
  for (const alarm of held) log.warn(alarm, 'an epoch waits for the operator: headgate ledger resolve')
  return alarms.length + held.length
}

function alarmsIn(outcomes: readonly Outcome[]): (Answer & { gateway: GatewayId })[] {
  return outcomes.flatMap(({ gateway, answers }) =>
    answers
      .filter(({ status }) => status !== 'ok' && status !== 'gap' && status !== 'hold')
      .map((answer) => ({ gateway, ...answer })),
  )
}

const bytesOf = (incoming: Incoming): number => ('body' in incoming ? incoming.body.length : 256)
