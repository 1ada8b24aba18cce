import type { LineState } from '../line/line.ts'
import type { Reason } from '../reading.ts'

/** Failures in a row, and how long they must last, before a device counts as lost. */
export const LOST_AFTER_FAILURES = 3
export const LOST_AFTER_MS = 10_000

export type DeviceState = 'new' | 'ok' | 'degraded' | 'lost' | 'probing'

/** `probing` has answered once since it was lost; the next poll decides. */
export interface DeviceHealth {
  readonly state: DeviceState
  /** Polls in a row without any answer. */
  readonly failures: number
  /** Monotonic time of the first of them. */
  readonly failingSinceMs: number | null
  /** Why the last poll was not whole. */
  readonly reason: Reason | null
}

export type DeviceInput =
  | { readonly kind: 'answered'; readonly atMs: number }
  /** Answered, but not for every channel. */
  | { readonly kind: 'partly'; readonly atMs: number; readonly reason: Reason }
  | { readonly kind: 'silent'; readonly atMs: number; readonly reason: Reason }

export const NEW_DEVICE: DeviceHealth = { state: 'new', failures: 0, failingSinceMs: null, reason: null }

/** What a device's health is after one poll. */
export function nextDeviceHealth(health: DeviceHealth, input: DeviceInput): DeviceHealth {
  switch (input.kind) {
    case 'answered':
      return { state: afterAnswer(health.state, 'ok'), failures: 0, failingSinceMs: null, reason: null }
    case 'partly':
      return {
        state: afterAnswer(health.state, 'degraded'),
        failures: 0,
        failingSinceMs: null,
        reason: input.reason,
      }
    case 'silent': {
      const failures = health.failures + 1
      const failingSinceMs = health.failingSinceMs ?? input.atMs
      const lost = failures >= LOST_AFTER_FAILURES && input.atMs - failingSinceMs >= LOST_AFTER_MS
      return { state: afterSilence(health.state, lost), failures, failingSinceMs, reason: input.reason }
    }
  }
}

function afterAnswer(state: DeviceState, otherwise: 'ok' | 'degraded'): DeviceState {
  return state === 'lost' ? 'probing' : otherwise
}

function afterSilence(state: DeviceState, lost: boolean): DeviceState {
  switch (state) {
    case 'new':
      return lost ? 'lost' : 'new'
    case 'ok':
    case 'degraded':
      return lost ? 'lost' : 'degraded'
    case 'lost':
    case 'probing':
      return 'lost'
  }
}

export type LineHealthState = 'ok' | 'noisy' | 'lost' | 'backoff'

export interface LineHealth {
  readonly state: LineHealthState
  /** Share of damaged answers, fading over the last exchanges. */
  readonly noise: number
}

export type LineInput =
  | { readonly kind: 'state'; readonly state: LineState }
  /** `damaged`: bytes came, but no frame could be made of them. */
  | { readonly kind: 'exchange'; readonly damaged: boolean }

/** Weight of the newest exchange: about the last twenty count. */
const NOISE_WEIGHT = 0.05
/** Two bounds, so that a line on the edge does not flap. */
const NOISY_ABOVE = 0.2
const QUIET_BELOW = 0.05

/** A line that was never opened is away. */
export const NEW_LINE: LineHealth = { state: 'backoff', noise: 0 }

/** What a line's health is after the port changed or one exchange ended. */
export function nextLineHealth(health: LineHealth, input: LineInput): LineHealth {
  switch (input.kind) {
    case 'state':
      return { state: portHealth(health, input.state), noise: health.noise }
    case 'exchange': {
      const noise = health.noise * (1 - NOISE_WEIGHT) + (input.damaged ? NOISE_WEIGHT : 0)
      return { state: noiseHealth(health.state, noise), noise }
    }
  }
}

function portHealth(health: LineHealth, state: LineState): LineHealthState {
  switch (state) {
    case 'open':
      return health.noise > NOISY_ABOVE ? 'noisy' : 'ok'
    case 'lost':
      return 'lost'
    case 'backoff':
    case 'closed':
      return 'backoff'
  }
}

function noiseHealth(state: LineHealthState, noise: number): LineHealthState {
  switch (state) {
    case 'ok':
      return noise > NOISY_ABOVE ? 'noisy' : 'ok'
    case 'noisy':
      return noise < QUIET_BELOW ? 'ok' : 'noisy'
    case 'lost':
    case 'backoff':
      return state
  }
}
