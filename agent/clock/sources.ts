import { existsSync, readFileSync } from 'node:fs'

/** Touched by systemd-timesyncd once it has heard a time server (and by chrony's units on most systems). */
const SYNCED_MARK = '/run/systemd/timesync/synchronized'
const BOOT_ID = '/proc/sys/kernel/random/boot_id'

/** Where time comes from; a test hands in its own. */
export interface TimeSources {
  /** Names this boot of the machine: monotonic times of other boots cannot be compared. */
  readonly bootId: string
  /** Whole ms, never steps. */
  monoMs(): number
  /** Whole ms since 1970, may step. */
  wallMs(): number
  /** True where the operating system says that its clock was set by a time server. */
  wallIsSynced(): boolean
}

/** The machine's own. Node has no CLOCK_BOOTTIME; hrtime with the boot id does (decisions.md, Timing). */
export function systemSources(): TimeSources {
  return {
    bootId: readBootId(),
    monoMs: () => Number(process.hrtime.bigint() / 1_000_000n),
    wallMs: () => Date.now(),
    wallIsSynced: () => existsSync(SYNCED_MARK),
  }
}

function readBootId(): string {
  try {
    return readFileSync(BOOT_ID, 'utf8').trim()
  } catch {
    // Not Linux: the process stands for the boot, which only means more intervals.
    return `process-${process.pid}`
  }
}
