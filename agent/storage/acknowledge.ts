import type { Database } from 'better-sqlite3'
import { decodeRecord } from '../../cloud-sync/codec/index.ts'
import { type Ack, type Epoch, type Hash, type Stream, ZERO_HASH } from '../../cloud-sync/contract/index.ts'
import type { BatchContext } from './batches.ts'
import { openReadingEpoch, openEventEpoch } from './epochs.ts'
import { recordEvent, trimEvents } from './events.ts'
import { batchHash, trimBatches } from './outbox-rows.ts'
import { firstUsageKept, setAcked, type StreamState, streamState } from './streams.ts'
import type { UsageLedger } from './usage.ts'
import { countedBeforeSetBack } from './usage-starts.ts'
import { prepared } from './prepared.ts'

export interface Acknowledging {
  readonly stream: Stream
  readonly ack: Ack
  readonly context: BatchContext
  readonly ledger: UsageLedger
  readonly newEpoch: () => Epoch
  readonly wallMs: number
  /** Running time ever counted, ms: no jump of any clock moves it. */
  readonly runningMs: number
}

/** Applies a verified acknowledgement, within the caller's transaction. One for another epoch changes nothing. */
export function acknowledge(database: Database, acknowledging: Acknowledging): void {
  const { stream, ack } = acknowledging
  const state = streamState(database, stream)
  if (ack.epoch !== state.epoch) return
  const because = quarrel(database, state, ack)
  // Numbers of another history confirm nothing of ours.
  const foreign = because === 'other-hash' || because === 'behind'
  if (!foreign && ack.upTo > state.acked) confirm(database, state, ack.upTo, acknowledging.runningMs)
  if (because !== null) {
    const covered = foreign ? Math.min(ack.upTo, countedBeforeSetBack(database, state, ack.agreed)) : 0
    leaveEpoch(database, state, acknowledging, { because, covered })
  } else if (ack.status === 'gap' && ack.want !== undefined) rewind(database, state, ack.want, acknowledging)
}

/** Why this epoch cannot go on; null where it can. `behind`: the ledger has more than we ever made, we were set back. */
function quarrel(database: Database, state: StreamState, ack: Ack): string | null {
  if (ack.upTo >= state.next) return 'behind'
  const own = ack.upTo > state.acked ? hashAt(database, state, ack.upTo) : undefined
  if (own !== undefined && own !== ack.hash) return 'other-hash'
  switch (ack.status) {
    case 'ok':
    case 'gap':
    case 'hold':
      return null
    case 'fork':
    case 'conflict':
      return ack.status
    case 'unknown_epoch':
      return ack.status
  }
}

function hashAt(database: Database, state: StreamState, upTo: number): Hash | undefined {
  if (upTo === 0) return ZERO_HASH
  if (state.name !== 'usage') return batchHash(database, state.name, upTo)
  return prepared(database, 'SELECT hash FROM usage_record WHERE epoch = ? AND seq = ?')
    .pluck()
    .get(state.epoch, upTo) as Hash | undefined
}

function confirm(database: Database, state: StreamState, upTo: number, runningMs: number): void {
  setAcked(database, state.name, upTo)
  const trimmed = trimBatches(database, state.name, upTo)
  if (state.name === 'usage') confirmRecords(database, state, upTo, runningMs)
  else if (state.name === 'evt') trimEvents(database)
  else {
    const known = prepared(database, 'INSERT OR IGNORE INTO known_def (stream, no) VALUES (?, ?)')
    for (const no of trimmed.flatMap((row) => row.defs)) known.run(state.name, no)
  }
}

/** Notes where the registers stood, so that a later epoch can tell what is still owed. */
function confirmRecords(database: Database, state: StreamState, upTo: number, runningMs: number): void {
  const rows = prepared(
    database,
    'SELECT seq, bytes FROM usage_record WHERE epoch = ? AND seq > ? AND seq <= ? ORDER BY seq',
  ).all(state.epoch, state.acked, upTo) as { seq: number; bytes: Uint8Array }[]
  const confirmed = prepared(
    database,
    `INSERT INTO register_confirmed (id, end)
     SELECT id, ? FROM register WHERE meter = ? AND subject = ? AND gen = ?
     ON CONFLICT (id) DO UPDATE SET end = excluded.end`,
  )
  for (const { bytes } of rows) {
    for (const { end, meter, subject, gen } of decodeRecord(bytes).registers) {
      confirmed.run(end, meter, subject, gen)
    }
  }
  prepared(
    database,
    'UPDATE usage_record SET acked_at = ? WHERE epoch = ? AND seq > ? AND seq <= ? AND acked_at IS NULL',
  ).run(runningMs, state.epoch, state.acked, upTo)
}

/**
 * The ledger asks again for what it had confirmed: it was restored from a backup. Usage and events are still here; the
 * bodies of readings are not, so their stream begins anew and says so.
 */
function rewind(database: Database, state: StreamState, want: number, acknowledging: Acknowledging): void {
  if (want > state.acked) return
  if (state.name === 'rd' || state.name === 'rd/h') {
    leaveEpoch(database, state, acknowledging, SET_BACK)
    return
  }
  const first = oldest(database, state)
  if (state.name === 'evt' && first > want) {
    // Old events are forgotten for good: what is left is told from 1 on.
    leaveEpoch(database, state, acknowledging, SET_BACK)
    return
  }
  const from = Math.max(first, want)
  setAcked(database, state.name, from - 1)
  if (state.name !== 'usage') return
  // The ledger does not have it: its days in store begin when it is confirmed again.
  prepared(database, 'UPDATE usage_record SET acked_at = NULL WHERE epoch = ? AND seq >= ?').run(
    state.epoch,
    from,
  )
}

function oldest(database: Database, state: StreamState): number {
  if (state.name === 'usage') return firstUsageKept(database)
  return (prepared(database, 'SELECT min(seq) FROM event').pluck().get() as number | null) ?? state.next
}

/** The ledger lost what it had confirmed: all of it is told again. */
const SET_BACK = { because: 'cloud-set-back', covered: 0 }

function leaveEpoch(
  database: Database,
  state: StreamState,
  { stream, context, ledger, newEpoch, wallMs }: Acknowledging,
  { because, covered }: { readonly because: string; readonly covered: number },
): void {
  recordEvent(database, {
    at: wallMs,
    kind: 'new_epoch',
    detail: { stream, parent: state.epoch, because, generation: state.generation + 1 },
  })
  switch (stream) {
    case 'usage':
      // Registers are restated after this commit's readings are counted; the ledger does it in the same transaction.
      ledger.openEpochAtThisCommit(newEpoch(), covered)
      return
    case 'evt':
      openEventEpoch(database, newEpoch())
      return
    case 'rd':
    case 'rd/h':
      openReadingEpoch(database, { stream, context, epoch: newEpoch() })
  }
}
