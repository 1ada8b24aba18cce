/** Both clocks read at one moment, milliseconds. The monotonic one paces, the wall clock only aligns. */
export interface Now {
  readonly monoMs: number
  readonly wallMs: number
}

/**
 * One correction of the phase moves an interval by at most a quarter of it. The promise to the outside is 0.5 to
 * 1.5 times `every`; the other quarter is what a poll may wait for its turn on the line.
 */
export const INTERVAL_SHARE_MIN = 0.75
export const INTERVAL_SHARE_MAX = 1.25

const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

/**
 * Where in its interval a device is polled, 0 to `everyMs`, always the same for the same name.
 * Spreads devices of one interval over the line's time, and over restarts nothing moves.
 */
export function slotOffsetMs(name: string, everyMs: number): number {
  let hash = FNV_OFFSET
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, FNV_PRIME) >>> 0
  // FNV-1a leaves names that differ in their last letter close together; two more rounds spread them.
  for (const shift of [16, 13]) hash = Math.imul(hash ^ (hash >>> shift), FNV_PRIME) >>> 0
  return Math.floor((hash / 2 ** 32) * everyMs)
}

/**
 * Monotonic time of the next poll after one at `lastMonoMs`: the wall clock's slot nearest to one interval later.
 * A wall clock that jumped moves the phase, a quarter of an interval at most each time, never the pace.
 */
export function nextDueMs(lastMonoMs: number, slot: { everyMs: number; offsetMs: number }, now: Now): number {
  const lastWallMs = now.wallMs - (now.monoMs - lastMonoMs)
  const index = Math.round((lastWallMs + slot.everyMs - slot.offsetMs) / slot.everyMs)
  const interval = index * slot.everyMs + slot.offsetMs - lastWallMs
  const least = slot.everyMs * INTERVAL_SHARE_MIN
  const most = slot.everyMs * INTERVAL_SHARE_MAX
  return lastMonoMs + Math.min(most, Math.max(least, interval))
}

/** Whole slots that passed between when a poll was due and when it began. They are skipped, never made up for. */
export function missedSlots(dueMonoMs: number, begunMonoMs: number, everyMs: number): number {
  return Math.max(0, Math.floor((begunMonoMs - dueMonoMs) / everyMs))
}
