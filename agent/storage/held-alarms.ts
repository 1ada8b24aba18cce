import type { Database } from 'better-sqlite3'
import type { ChannelDef, StoredReading, Value } from '../../cloud-sync/contract/index.ts'
import { recordEvent } from './events.ts'
import { holdsIn, isHeld } from './holds.ts'

interface Alarm {
  readonly def: ChannelDef
  readonly reading: StoredReading
}

/** A channel that stays beyond its limit is told again after so long, ms: a limit must not be got round by alarms. */
const TOLD_EVERY_MS = 60_000

/**
 * Alarms of a workspace that is over its limit. Its readings wait, but nobody waits for an alarm: the cloud hears of it as
 * an event, which no limit holds up, in the commit that stores the reading.
 */
export class HeldAlarms {
  /** By channel number: when it was told last, monotonic ms. */
  readonly #told = new Map<number, number>()
  readonly #monoMs: () => number

  constructor(monoMs: () => number) {
    this.#monoMs = monoMs
  }

  /** Within the transaction that stores them; `window` = the first one that they are in. The result is called after it. */
  write(database: Database, alarms: readonly Alarm[], window: number): () => void {
    if (alarms.length === 0) return () => undefined
    const now = this.#monoMs()
    const holds = holdsIn(database)
    const told = new Set<number>()
    for (const { def, reading } of alarms) {
      const last = this.#told.get(def.no)
      const isRecent = told.has(def.no) || (last !== undefined && now - last < TOLD_EVERY_MS)
      if (isRecent || !isHeld(holds, def.device, window)) continue
      told.add(def.no)
      const { device, sensor, channel, unit, org, ownerEpoch } = def
      const { takenAt, value } = reading
      const detail = { org, ownerEpoch, device, sensor, channel, unit, value: plain(value), takenAt }
      recordEvent(database, { at: takenAt, kind: 'alarm_held', detail })
    }
    return () => {
      for (const channel of told) this.#told.set(channel, now)
    }
  }
}

const plain = (value: Value): string | number | boolean | null =>
  typeof value === 'bigint' ? Number(value) : value
