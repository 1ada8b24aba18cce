import { missedSlots, nextDueMs, type Now } from './slots.ts'

/** In the order in which they get the line. */
export const POLL_CLASSES = ['operator', 'alarm', 'normal', 'probe'] as const
export type PollClass = (typeof POLL_CLASSES)[number]

/** Lost devices together get this share of the line's time. */
export const PROBE_SHARE = 0.05
const BACKOFF_FIRST_MS = 1_000
const BACKOFF_MOST_MS = 300_000
const BACKOFF_JITTER = 0.2
/** A poll that begins within a quarter of its interval keeps the promise on intervals (slots.ts). */
const DEADLINE_SHARE = 0.25

/** One device as the scheduler sees it. Times are monotonic milliseconds. */
export interface Job {
  readonly device: string
  readonly everyMs: number
  readonly offsetMs: number
  /** What it is polled as while it is well. */
  readonly urgency: 'alarm' | 'normal'
  readonly class: PollClass
  readonly dueMs: number
  /** Not before: an answer to the last request may still come, and would be taken for the next one's. */
  readonly heldUntilMs: number
  /** Slots that passed without a poll. */
  readonly missed: number
  /** Probes since the device was lost. */
  readonly probes: number
}

/** What lost devices have used of their share: below zero, no probe. */
export interface ProbeBudget {
  readonly balanceMs: number
  readonly atMs: number
}

export type Choice =
  | { readonly kind: 'poll'; readonly job: Job }
  /** Nothing to do for this long; `Infinity` without jobs. */
  | { readonly kind: 'wait'; readonly ms: number }

/** A device that is polled at once, then in its slots. */
export function firstJob(
  device: Pick<Job, 'device' | 'everyMs' | 'offsetMs' | 'urgency'>,
  atMs: number,
): Job {
  return { ...device, class: device.urgency, dueMs: atMs, heldUntilMs: 0, missed: 0, probes: 0 }
}

/** When a poll of this job must have begun. */
export const deadlineMs = (job: Job): number => job.dueMs + job.everyMs * DEADLINE_SHARE

/** Earliest deadline first within the most urgent class that has something due. */
export function choose(jobs: Iterable<Job>, budget: ProbeBudget, atMs: number): Choice {
  let best: Job | null = null
  let waitMs = Infinity
  const probeFromMs = budgetReadyMs(budget)
  for (const job of jobs) {
    const budgetMs = job.probes > 0 && job.class === 'probe' ? probeFromMs : 0
    const readyMs = Math.max(job.dueMs, job.heldUntilMs, budgetMs)
    if (readyMs > atMs) waitMs = Math.min(waitMs, readyMs - atMs)
    else if (best === null || goesBefore(job, best)) best = job
  }
  return best === null ? { kind: 'wait', ms: waitMs } : { kind: 'poll', job: best }
}

function goesBefore(a: Job, b: Job): boolean {
  const order = POLL_CLASSES.indexOf(a.class) - POLL_CLASSES.indexOf(b.class)
  return order === 0 ? deadlineMs(a) < deadlineMs(b) : order < 0
}

/** The job after a poll that got an answer; `begunMs` is when its request went out. */
export function afterAnswer(job: Job, begunMs: number, now: Now): Job {
  return { ...inNextSlot(job, begunMs, now), class: job.urgency, probes: 0 }
}

/** After a poll without an answer by a device that is not lost yet: it keeps its slots, but the others go first. */
export function afterSilence(job: Job, begunMs: number, now: Now): Job {
  return { ...inNextSlot(job, begunMs, now), class: 'probe', probes: 0 }
}

/** After a poll that left the device lost: probes with jittered back-off, 1 s, 2 s, 4 s … 5 min. */
export function afterLoss(job: Job, atMs: number, random: () => number): Job {
  const delayMs = Math.min(BACKOFF_MOST_MS, BACKOFF_FIRST_MS * 2 ** Math.min(job.probes, 20))
  const jitter = 1 + BACKOFF_JITTER * (2 * random() - 1)
  return { ...job, class: 'probe', dueMs: atMs + delayMs * jitter, probes: job.probes + 1 }
}

/** The same poll again, later: the device said that it is busy. */
export function postponed(job: Job, dueMs: number): Job {
  return { ...job, dueMs }
}

/** An operator asks now. */
export function askedNow(job: Job, atMs: number): Job {
  return { ...job, class: 'operator', dueMs: Math.min(job.dueMs, atMs) }
}

function inNextSlot(job: Job, begunMs: number, now: Now): Job {
  const missed = job.class === 'operator' ? 0 : missedSlots(job.dueMs, begunMs, job.everyMs)
  return { ...job, dueMs: nextDueMs(begunMs, job, now), missed: job.missed + missed }
}

/**
 * True where a second try of `job` that ends at `endMs` keeps its own slot and delays nobody past a deadline.
 */
export function mayRetry(job: Job, others: Iterable<Job>, endMs: number): boolean {
  if (job.class === 'probe' || endMs > job.dueMs + job.everyMs) return false
  for (const other of others) {
    if (other.device !== job.device && other.class !== 'probe' && deadlineMs(other) < endMs) return false
  }
  return true
}

/** A full purse is worth nothing: after a quiet day, probes must not take the line for minutes. */
export const NEW_BUDGET = (atMs: number): ProbeBudget => ({ balanceMs: 0, atMs })

/** The budget after a probe that used the line from `beganMs` to `atMs`. */
export function spend(budget: ProbeBudget, beganMs: number, atMs: number): ProbeBudget {
  const earned = Math.min(0, budget.balanceMs + (beganMs - budget.atMs) * PROBE_SHARE)
  return { balanceMs: earned - (atMs - beganMs) * (1 - PROBE_SHARE), atMs }
}

function budgetReadyMs(budget: ProbeBudget): number {
  return budget.atMs - Math.min(0, budget.balanceMs) / PROBE_SHARE
}
