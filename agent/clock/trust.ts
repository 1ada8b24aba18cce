import type { ClockState } from '../../cloud-sync/contract/index.ts'

/** A step of the wall clock larger than this is believed only with time signed by the cloud (decisions.md). */
const BELIEVED_STEP_MS = 24 * 3_600_000
/** An anchor older than this is carried on by the crystal alone: holdover. */
const SYNCED_FOR_MS = 24 * 3_600_000
/** What a cheap crystal drifts, as a share of elapsed time: 200 ppm. */
const DRIFT = 200e-6
/** A cloud's signed time is older than its arrival by the way it took. */
const CLOUD_ERROR_MS = 2000
const NTP_ERROR_MS = 1000
/** A mobile network tells whole seconds, and nobody says how it sets its own clock. */
const NETWORK_ERROR_MS = 10_000

/** Trusted time at one monotonic instant; it runs on from there by the monotonic clock alone. */
export interface Anchor {
  readonly trustedMs: number
  readonly monoMs: number
  readonly errorMs: number
  /** `network`: told by the mobile network, believed where nothing better is known. `carried`: the wall clock at start, no earlier than the last trusted time and less than a day after it. */
  readonly source: 'cloud' | 'ntp' | 'network' | 'carried'
}

export interface Look {
  readonly monoMs: number
  readonly wallMs: number
  readonly wallIsSynced: boolean
}

/** Where there is no cloud, the operating system's word is the best there is, whatever the step. */
export interface TrustRules {
  readonly cloudConfigured: boolean
}

export const trustedAt = (anchor: Anchor, monoMs: number): number => anchor.trustedMs + monoMs - anchor.monoMs

/**
 * The anchor after a look at the wall clock. `highWaterMs` is the latest trusted time any earlier run had seen, null on a
 * new gateway. Pure.
 */
export function anchorFromWall(
  anchor: Anchor | null,
  look: Look,
  known: { readonly highWaterMs: number | null; readonly rules: TrustRules },
): Anchor | null {
  const { monoMs, wallMs } = look
  if (anchor?.source === 'cloud' && monoMs - anchor.monoMs <= SYNCED_FOR_MS) return anchor
  const expected = anchor === null ? known.highWaterMs : trustedAt(anchor, monoMs)
  if (look.wallIsSynced && isBelieved(wallMs, expected, known.rules)) {
    return { trustedMs: wallMs, monoMs, errorMs: NTP_ERROR_MS, source: 'ntp' }
  }
  if (anchor !== null || expected === null) return anchor
  const ahead = wallMs - expected
  if (ahead < 0 || ahead > BELIEVED_STEP_MS) return null
  return { trustedMs: wallMs, monoMs, errorMs: ahead, source: 'carried' }
}

/**
 * The anchor after a verified message of the cloud. A message is signed before it arrives, however late it is delivered,
 * so its time is a lower bound: it never sets trusted time back.
 */
export function anchorFromCloud(
  anchor: Anchor | null,
  serverTimeMs: number,
  at: { readonly monoMs: number; readonly highWaterMs: number | null },
): Anchor | null {
  const floor = anchor?.source === 'cloud' ? trustedAt(anchor, at.monoMs) : (at.highWaterMs ?? 0)
  // Up to a day behind the high-water mark is still believed: the mark may come from a wall clock that was fast.
  const slack = anchor?.source === 'cloud' ? 0 : BELIEVED_STEP_MS
  if (serverTimeMs < floor - slack) return anchor
  return { trustedMs: serverTimeMs, monoMs: at.monoMs, errorMs: CLOUD_ERROR_MS, source: 'cloud' }
}

/**
 * The anchor after the mobile network told the time: an offline source (metering.md 4.5), below time servers and the cloud
 * as long as those are fresh, and never policy time. With a cloud, a step of more than a day is not believed.
 */
export function anchorFromNetwork(
  anchor: Anchor | null,
  { networkMs, monoMs }: { readonly networkMs: number; readonly monoMs: number },
  known: { readonly highWaterMs: number | null; readonly rules: TrustRules },
): Anchor | null {
  const isBetter = anchor?.source === 'cloud' || anchor?.source === 'ntp'
  if (isBetter && monoMs - anchor.monoMs <= SYNCED_FOR_MS) return anchor
  const expected = anchor === null ? known.highWaterMs : trustedAt(anchor, monoMs)
  if (!isBelieved(networkMs, expected, known.rules)) return anchor
  return { trustedMs: networkMs, monoMs, errorMs: NETWORK_ERROR_MS, source: 'network' }
}

export function stateOf(anchor: Anchor | null, monoMs: number): { clock: ClockState; maxErrMs: number } {
  if (anchor === null) return { clock: 'unsynced', maxErrMs: 0 }
  const age = monoMs - anchor.monoMs
  const isSynced = (anchor.source === 'cloud' || anchor.source === 'ntp') && age <= SYNCED_FOR_MS
  const clock = isSynced ? 'synced' : 'holdover'
  return { clock, maxErrMs: Math.ceil(anchor.errorMs + age * DRIFT) }
}

function isBelieved(wallMs: number, expectedMs: number | null, rules: TrustRules): boolean {
  if (!rules.cloudConfigured || expectedMs === null) return true
  return Math.abs(wallMs - expectedMs) <= BELIEVED_STEP_MS
}
