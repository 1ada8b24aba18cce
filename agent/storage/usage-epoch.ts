import type { Database } from 'better-sqlite3'
import { decodeRecord, sealRecord } from '../../cloud-sync/codec/index.ts'
import {
  type Epoch,
  type SealedRecord,
  USAGE_QUALITY,
  type UsageRecord,
} from '../../cloud-sync/contract/index.ts'
import { type Register, restate, type Undated } from '../metering/index.ts'
import { dropBatches } from './outbox-rows.ts'
import { prepared } from './prepared.ts'
import { advance, openEpoch, streamState } from './streams.ts'

interface Changing {
  readonly epoch: Epoch
  /** Unconfirmed records up to this number are in the ledger in other words, and not issued again. */
  readonly covered: number
  readonly registers: readonly Register[]
  readonly undated: readonly Undated[]
  /** Wall clock, epoch ms. */
  readonly madeAt: number
}

interface Changed {
  /** The old ones finished, their successors begun. */
  readonly registers: readonly Register[]
  /** Under their new numbers. */
  readonly undated: readonly Undated[]
}

/** Leaves the epoch of `usage` for a new one and issues what is unconfirmed again under it (decisions.md, Forks). */
export function openUsageEpoch(
  database: Database,
  { epoch, covered, registers, undated, madeAt }: Changing,
): Changed {
  const before = streamState(database, 'usage')
  const unconfirmed = prepared(
    database,
    'SELECT bytes FROM usage_record WHERE epoch = ? AND seq > ? ORDER BY seq',
  )
    .pluck()
    .all(before.epoch, before.acked) as Uint8Array[]
  const confirmed = new Map(
    prepared(database, 'SELECT id, end FROM register_confirmed').safeIntegers().raw().all() as [
      bigint,
      bigint,
    ][],
  )
  for (const { registers: ends } of decodedUpTo(unconfirmed, covered)) {
    for (const { meter, subject, gen, end } of ends) {
      const one = registers.find((own) => own.meter === meter && own.subject === subject && own.gen === gen)
      if (one !== undefined) confirmed.set(BigInt(one.id), end)
    }
  }
  const firstId = 1 + Math.max(0, ...registers.map((register) => register.id))
  const restated = restate(registers, {
    confirmed: (register) => confirmed.get(BigInt(register.id)) ?? 0n,
    firstId,
    epoch,
  })
  dropBatches(database, 'usage')
  let { next, head } = openEpoch(database, 'usage', epoch)
  /** New number by old one. */
  const renumbered = new Map<number, number>()
  const records = unconfirmed.map(decodeRecord).flatMap((old) => {
    if (old.seq <= covered) return []
    const ends = restated.reissue(old.registers, 1 << USAGE_QUALITY.REPLAY)
    const about = aboutOf(old, { renumbered, left: before.epoch })
    const sealed = sealRecord({ ...old, ...about, epoch, seq: next, prev: head, registers: ends })
    renumbered.set(old.seq, next)
    next += 1
    head = sealed.hash
    return [sealed]
  })
  storeRecords(database, records, madeAt)
  return {
    registers: [...restated.retired, ...restated.born],
    undated: undated.flatMap((one) => {
      if (one.epoch === null && one.seq <= covered) return []
      const seq = one.epoch === null ? renumbered.get(one.seq) : undefined
      return seq === undefined ? { ...one, epoch: one.epoch ?? before.epoch } : { ...one, seq }
    }),
  }
}

const decodedUpTo = (records: readonly Uint8Array[], covered: number): UsageRecord[] =>
  covered === 0 ? [] : records.map(decodeRecord).filter(({ seq }) => seq <= covered)

/** A record about another one names it by its number here, or, where that is confirmed already, in the epoch it is in. */
function aboutOf(
  { corrects, share, time }: SealedRecord['record'],
  { renumbered, left }: { renumbered: ReadonlyMap<number, number>; left: Epoch },
): Partial<Pick<SealedRecord['record'], 'corrects' | 'share'>> {
  if (corrects === null || (share !== undefined && share.epoch !== null)) return {}
  const seq = renumbered.get(corrects)
  if (seq !== undefined) return { corrects: seq }
  const of = Math.max(1, time.monoEnd - time.monoStart)
  return { share: { ...(share ?? { from: 0, to: of, of }), epoch: left } }
}

/** Appends sealed records to the stream `usage`; they follow its head. */
export function storeRecords(database: Database, records: readonly SealedRecord[], madeAt: number): void {
  const insert = prepared(
    database,
    'INSERT INTO usage_record (epoch, seq, hash, bytes, made_at) VALUES (?, ?, ?, ?, ?)',
  )
  for (const { record, bytes, hash } of records) insert.run(record.epoch, record.seq, hash, bytes, madeAt)
  const last = records.at(-1)
  if (last !== undefined) advance(database, 'usage', { next: last.record.seq + 1, head: last.hash })
}
