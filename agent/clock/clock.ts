import type { Moment } from '../metering/index.ts'
import type { TimeSources } from './sources.ts'
import {
  type Anchor,
  anchorFromCloud,
  anchorFromNetwork,
  anchorFromWall,
  stateOf,
  trustedAt,
} from './trust.ts'

/** A step of the wall clock from here on is reported (metering.md 4.5, rule 5). */
const STEP_MS = 2000
const LOOK_EVERY_MS = 1000

export interface ClockStep {
  /** Positive = forward. */
  readonly stepMs: number
  readonly wallMs: number
}

export interface ClockOptions {
  readonly sources: TimeSources
  /** Latest trusted time of earlier runs, epoch ms; null on a new gateway. */
  readonly highWaterMs: number | null
  /** With a cloud, a step of more than a day waits for its signed time. */
  readonly cloudConfigured: boolean
}

/**
 * The gateway's three clocks: monotonic for durations, wall for labels, and how far the wall may be believed. Trusted
 * time runs by the monotonic clock from its anchor, so no step of the wall clock moves a billing day.
 */
export class GatewayClock {
  readonly bootId: string
  readonly #sources: TimeSources
  readonly #cloudConfigured: boolean
  readonly #listeners = new Set<(step: ClockStep) => void>()
  #anchor: Anchor | null = null
  #highWaterMs: number | null
  /** Wall minus monotonic at the last look. */
  #offsetMs: number
  #timer: NodeJS.Timeout | undefined

  constructor({ sources, highWaterMs, cloudConfigured }: ClockOptions) {
    this.#sources = sources
    this.#highWaterMs = highWaterMs
    this.#cloudConfigured = cloudConfigured
    this.bootId = sources.bootId
    this.#offsetMs = sources.wallMs() - sources.monoMs()
    this.look()
  }

  /** Looks at the wall clock every second until `stop` or the signal. */
  start(signal: AbortSignal): Promise<void> {
    this.#timer = setInterval(() => {
      this.look()
    }, LOOK_EVERY_MS)
    this.#timer.unref()
    signal.addEventListener('abort', () => void this.stop(), { once: true })
    return Promise.resolve()
  }

  stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    return Promise.resolve()
  }

  now(): Moment {
    const monoMs = this.#sources.monoMs()
    const wallMs = this.#sources.wallMs()
    const { clock, maxErrMs } = stateOf(this.#anchor, monoMs)
    const trustedMs = this.#anchor === null ? null : trustedAt(this.#anchor, monoMs)
    const day = trustedMs === null ? null : utcDay(trustedMs)
    return { monoMs, wallMs, clock, maxErrMs, day, trustedMs }
  }

  /** Time of a verified message of the cloud, epoch ms. */
  learn(serverTimeMs: number): void {
    const monoMs = this.#sources.monoMs()
    this.#anchor = anchorFromCloud(this.#anchor, serverTimeMs, { monoMs, highWaterMs: this.#highWaterMs })
    this.#raiseHighWater(monoMs)
  }

  /** What the mobile network says the time is, epoch ms. It counts for labels only, and only where nothing better does. */
  learnFromNetwork(networkMs: number): void {
    const monoMs = this.#sources.monoMs()
    this.#anchor = anchorFromNetwork(
      this.#anchor,
      { networkMs, monoMs },
      { highWaterMs: this.#highWaterMs, rules: { cloudConfigured: this.#cloudConfigured } },
    )
    this.#raiseHighWater(monoMs)
  }

  /** Latest trusted time there was, to be kept for the next start; null where there was none. */
  highWaterMs(): number | null {
    this.#raiseHighWater(this.#sources.monoMs())
    return this.#highWaterMs
  }

  /** Called for every step of the wall clock of 2 s or more; the returned way stops it. */
  onStep(listener: (step: ClockStep) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** One look at the wall clock; `start` does it every second. */
  look(): void {
    const { monoMs, wallMs } = { monoMs: this.#sources.monoMs(), wallMs: this.#sources.wallMs() }
    const stepMs = wallMs - monoMs - this.#offsetMs
    this.#offsetMs = wallMs - monoMs
    const wallIsSynced = this.#sources.wallIsSynced()
    this.#anchor = anchorFromWall(
      this.#anchor,
      { monoMs, wallMs, wallIsSynced },
      { highWaterMs: this.#highWaterMs, rules: { cloudConfigured: this.#cloudConfigured } },
    )
    this.#raiseHighWater(monoMs)
    if (Math.abs(stepMs) >= STEP_MS) for (const listener of this.#listeners) listener({ stepMs, wallMs })
  }

  #raiseHighWater(monoMs: number): void {
    if (this.#anchor === null) return
    this.#highWaterMs = Math.max(this.#highWaterMs ?? 0, trustedAt(this.#anchor, monoMs))
  }
}

const utcDay = (epochMs: number): string => new Date(epochMs).toISOString().slice(0, 10)
