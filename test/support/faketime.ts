import { globSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A wall clock for child processes that can be set while they run; the monotonic clock stays true. */
export interface MovableClock {
  /** Environment of the child; needs the peer `faketime`. */
  readonly env: Readonly<Record<string, string>>
  /** Sets the wall clock, from where it runs on: `2026-03-29 01:59:58`, UTC. */
  set(time: string): void
}

/** A clock kept in a file in `dir`, at `time` when the child starts. */
export function movableClock(dir: string, time: string): MovableClock {
  const library = globSync('/usr/lib/*/faketime/libfaketime.so.1')[0]
  if (library === undefined) throw new Error('libfaketime is missing; run test/peers/install')
  const file = join(dir, 'clock')
  const set = (to: string): void => {
    // Never half a line: the child reads the file at every look at its clock.
    writeFileSync(`${file}.next`, `@${to}\n`)
    renameSync(`${file}.next`, file)
  }
  set(time)
  return {
    env: {
      TZ: 'UTC',
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    set,
  }
}
