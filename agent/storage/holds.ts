import type { Database } from 'better-sqlite3'
import { prepared } from './prepared.ts'

/**
 * Devices whose readings wait because their workspace is over its limit: those in the windows from `first` to `last`.
 * The lanes of the uplink leave these out; once the hold is over they go by the back-fill lane, oldest first.
 */
export interface Hold {
  readonly id: number
  readonly devices: ReadonlySet<string>
  readonly first: number
  /** Null = it goes on. */
  readonly last: number | null
  /** Everything up to this window is in a batch. */
  readonly sent: number
  /** Everything up to this window was given to the local broker; null = all of it, the broker has caught up. */
  readonly delivered: number | null
}

interface Row extends Omit<Hold, 'devices'> {
  readonly devices: string
}

const parse = ({ devices, ...row }: Row): Hold => ({
  ...row,
  devices: new Set(JSON.parse(devices) as string[]),
})

/** Oldest first. A gateway whose workspaces keep to their limits has none. */
export const holdsIn = (database: Database): Hold[] =>
  (prepared(database, 'SELECT * FROM quota_hold ORDER BY id').all() as Row[]).map(parse)

/** Whether the lanes leave out what this device gave in this window. */
export const isHeld = (holds: readonly Hold[], device: string, window: number): boolean =>
  holds.some(
    ({ devices, first, last }) => devices.has(device) && window >= first && (last === null || window <= last),
  )

/**
 * Lets exactly these devices wait from the next window on, within the caller's transaction. `next` = the first window
 * that is not committed yet. True where anything changed.
 */
export function holdExactly(database: Database, devices: ReadonlySet<string>, next: number): boolean {
  const open = holdsIn(database).filter(({ last }) => last === null)
  const held = new Set<string>()
  const fresh = new Set<string>()
  let changed = false
  for (const hold of open) {
    if ([...hold.devices].every((device) => devices.has(device))) {
      for (const device of hold.devices) held.add(device)
      continue
    }
    changed = true
    end(database, hold, next - 1)
    for (const device of hold.devices) if (devices.has(device)) fresh.add(device)
  }
  for (const device of devices) if (!held.has(device)) fresh.add(device)
  if (fresh.size === 0) return changed
  prepared(
    database,
    'INSERT INTO quota_hold (devices, first, last, sent, delivered) VALUES (?, ?, NULL, ?, ?)',
  ).run(JSON.stringify([...fresh].sort()), next, next - 1, next - 1)
  return true
}

function end(database: Database, { id, first }: Hold, last: number): void {
  if (last < first) prepared(database, 'DELETE FROM quota_hold WHERE id = ?').run(id)
  else prepared(database, 'UPDATE quota_hold SET last = ? WHERE id = ?').run(last, id)
}

/** The oldest hold that is over and has something to send. */
export const firstReleased = (database: Database): Hold | undefined => {
  const row = prepared(
    database,
    'SELECT * FROM quota_hold WHERE last IS NOT NULL AND sent < last ORDER BY id LIMIT 1',
  ).get() as Row | undefined
  return row && parse(row)
}

/** Everything of the hold up to this window is in a batch. */
export function noteSent(database: Database, { id }: Hold, upTo: number): void {
  prepared(database, 'UPDATE quota_hold SET sent = ? WHERE id = ?').run(upTo, id)
  forgetDone(database)
}

/** Everything of the hold up to this window was given to the local broker; null = it has caught up. */
export function noteDelivered(database: Database, id: number, upTo: number | null): void {
  prepared(database, 'UPDATE quota_hold SET delivered = ? WHERE id = ?').run(upTo, id)
  forgetDone(database)
}

const forgetDone = (database: Database): void =>
  void prepared(
    database,
    'DELETE FROM quota_hold WHERE last IS NOT NULL AND sent >= last AND delivered IS NULL',
  ).run()

/** The last window, from this one on, up to which all holds say the same: where a pack run must end at the latest. */
export const sameHoldsUntil = (database: Database, window: number): number =>
  prepared(
    database,
    `SELECT coalesce(min(until), ?) FROM (
       SELECT first - 1 AS until FROM quota_hold WHERE first > ? UNION ALL
       SELECT last FROM quota_hold WHERE last >= ?)`,
  )
    .pluck()
    .get(Number.MAX_SAFE_INTEGER, window, window) as number

/** SQL: something between these window ids waits for a hold to end, or for its turn after it. */
export const waitsFor = (first: string, last: string): string =>
  `EXISTS (SELECT 1 FROM quota_hold AS h WHERE h.sent < coalesce(h.last, ${Number.MAX_SAFE_INTEGER})
    AND ${last} > h.sent AND ${first} <= coalesce(h.last, ${Number.MAX_SAFE_INTEGER}))`

/** Holds with something in these windows that no batch has. */
export const waitingIn = (database: Database, first: number, last: number): Hold[] =>
  holdsIn(database).filter((hold) => last > hold.sent && first <= (hold.last ?? Number.MAX_SAFE_INTEGER))
