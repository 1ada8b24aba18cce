import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Bound, Bounds } from '../bounds.ts'
import type { CloseReason } from '../connection/connection.ts'
import type { Backlog } from '../connection/sending.ts'
import type { BrokerLimits } from '../limits.ts'
import type { BrokerLog } from '../log.ts'
import type { Principal } from '../policy.ts'
import type { Dialogue } from './dialogue.ts'

/** How often deadlines are looked at, ms: a keepalive is met to this. */
const LOOK_MS = 250
/** Looks between two at the memory. */
const LOOKS_A_MEMORY_LOOK = 4
const SECOND_MS = 1_000
/** [MQTT-3.1.2-24]: a client is given up after one and a half times its keepalive. */
const KEEPALIVE_PARTS = 1.5
/** Above this part of the memory ceiling new connections are turned away and those furthest behind are closed. */
const MEMORY_PRESSED_PART = 0.9
/**
 * ... but only while more than this part of it is really in use. After a peak the resident memory stays where it was:
 * neither V8 nor malloc give back all that is free, and judged by that alone nobody could ever log in again.
 */
const IN_USE_PRESSED_PART = 0.5
/** What is in use is known only after a collection; the least time between two that are asked for, ms. */
const COLLECT_EVERY_MS = 10_000
/** Backlogs that are not worth closing somebody for, bytes. */
const BACKLOG_NOTED_BYTES = 16 * 1024

/** How often what has grown old is looked for, ms. */
const SWEEP_EVERY_MS = 60_000

/** The bound because of which a connection is closed that has missed a deadline. */
const BOUNDS: { readonly [R in CloseReason]?: Bound } = {
  'connect-timeout': 'connectTimeoutMs',
  'too-slow': 'slowMs',
  'store-full': 'storeWaitMs',
  memory: 'memoryBytes',
}

interface WatchParts<P extends Principal> {
  /** All that are open, logged in or not. */
  readonly dialogues: ReadonlySet<Dialogue<P>>
  /** What waits for all of them. */
  readonly backlog: Readonly<Backlog>
  readonly limits: BrokerLimits
  readonly log: BrokerLog
  /** Resident bytes of the process. */
  readonly memory: () => number
  /** Bytes of objects and buffers, garbage among them until it is collected. */
  readonly inUse?: () => number
  /** Collects all garbage, at once. */
  readonly collect?: () => void
  readonly bounds: Bounds
  /** A clock that never goes back, ms. */
  readonly monoMs: () => number
  /** Drops what has waited for too long. */
  readonly sweep: () => void
}

/** Looks at deadlines and at what all connections together take: one timer, not one for each of them. */
export class Watch<P extends Principal> {
  readonly #parts: WatchParts<P>
  #timer: NodeJS.Timeout | undefined
  readonly #slowSince = new WeakMap<Dialogue<P>, number>()
  #looks = 0
  #isPressed = false
  #sweptAt = 0
  #collectedAt = -Infinity

  constructor(parts: WatchParts<P>) {
    this.#parts = parts
  }

  start(): void {
    this.#sweptAt = this.#parts.monoMs()
    this.#timer = setInterval(() => {
      this.#look()
    }, LOOK_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#parts.bounds.report()
  }

  /** True while the memory is too near its ceiling for anybody new. */
  get isPressed(): boolean {
    return this.#isPressed
  }

  #look(): void {
    const now = performance.now()
    for (const dialogue of this.#parts.dialogues) {
      const reason = this.#overdue(dialogue, now)
      if (reason !== undefined) this.#close(dialogue, reason, BOUNDS[reason])
    }
    if (this.#parts.backlog.bytes > this.#parts.limits.backlogTotalBytes)
      this.#closeFurthestBehind('too-slow', 'backlogTotalBytes')
    this.#looks += 1
    if (this.#looks % LOOKS_A_MEMORY_LOOK === 0) this.#lookAtMemory()
    this.#sweepNowAndThen()
    this.#parts.bounds.report()
  }

  #sweepNowAndThen(): void {
    const { monoMs, sweep, log } = this.#parts
    if (monoMs() - this.#sweptAt < SWEEP_EVERY_MS) return
    this.#sweptAt = monoMs()
    try {
      sweep()
    } catch (err) {
      log.error({ err }, 'what is old was not dropped; it is tried again')
    }
  }

  #overdue(dialogue: Dialogue<P>, now: number): CloseReason | undefined {
    const { limits } = this.#parts
    const { connect, subscriber, openedAt, connection } = dialogue
    if (subscriber === undefined)
      return now - openedAt > limits.connectTimeoutMs ? 'connect-timeout' : undefined
    if (this.#isStuck(dialogue, now)) return 'too-slow'
    if (dialogue.pending > 0 && now - dialogue.pendingSince > limits.storeWaitMs) return 'store-full'
    // While we do not read, silence is ours.
    if (connection.isHeld || connect === undefined || connect.keepalive === 0) return undefined
    return now - connection.heardAt > connect.keepalive * KEEPALIVE_PARTS * SECOND_MS
      ? 'keepalive'
      : undefined
  }

  #isStuck(dialogue: Dialogue<P>, now: number): boolean {
    const { backlogBytes, slowMs } = this.#parts.limits
    if (dialogue.connection.backlog <= backlogBytes) {
      this.#slowSince.delete(dialogue)
      return false
    }
    const since = this.#slowSince.get(dialogue) ?? now
    this.#slowSince.set(dialogue, since)
    return now - since > slowMs
  }

  #lookAtMemory(): void {
    const { limits, memory, log } = this.#parts
    const bytes = memory()
    const isPressed = bytes > limits.memoryBytes * MEMORY_PRESSED_PART && this.#isMuchInUse()
    if (isPressed !== this.#isPressed) {
      this.#isPressed = isPressed
      if (isPressed) log.warn({ bytes, ceiling: limits.memoryBytes }, 'memory is short: nobody new is let in')
      else log.info({ bytes }, 'memory is enough again')
    }
    if (isPressed) this.#closeFurthestBehind('memory', 'memoryBytes')
  }

  #isMuchInUse(): boolean {
    const { limits, inUse = bytesInUse, collect = collectGarbage, monoMs, log } = this.#parts
    const most = limits.memoryBytes * IN_USE_PRESSED_PART
    if (inUse() <= most) return false
    if (monoMs() - this.#collectedAt >= COLLECT_EVERY_MS) {
      this.#collectedAt = monoMs()
      try {
        collect()
      } catch (err) {
        log.warn({ err }, 'garbage was not collected; it will be in time')
      }
    }
    return inUse() > most
  }

  #closeFurthestBehind(reason: CloseReason, bound: Bound): void {
    let most = BACKLOG_NOTED_BYTES
    let worst: Dialogue<P> | undefined
    for (const dialogue of this.#parts.dialogues) {
      const behind = dialogue.connection.backlog + (dialogue.subscriber?.waitingBytes ?? 0)
      if (behind <= most) continue
      most = behind
      worst = dialogue
    }
    if (worst !== undefined) this.#close(worst, reason, bound)
  }

  #close(dialogue: Dialogue<P>, reason: CloseReason, bound?: Bound): void {
    const { clientId, connection } = dialogue
    if (bound !== undefined)
      this.#parts.bounds.met(bound, clientId === '' ? connection.peer.remote : clientId)
    this.#parts.log.info({ clientId, remote: connection.peer.remote, reason }, 'connection closed')
    dialogue.close(reason)
  }
}

/** Of the heap and of buffers. */
export function bytesInUse(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

let runCollection: (() => void) | undefined

/** Node gives out `gc` only with a flag, which may be set while it runs. */
function collectGarbage(): void {
  if (runCollection === undefined) {
    setFlagsFromString('--expose-gc')
    runCollection = runInNewContext('gc') as () => void
  }
  runCollection()
}
