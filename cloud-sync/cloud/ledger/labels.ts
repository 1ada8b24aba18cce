import { stretchesOverlap, type UsageRecord, WHOLE_RECORD } from '../../contract/index.ts'
import { type Db, type NewDayAssign, sharesOf, undatedOwner } from '../storage/index.ts'

/** Names a record of any gateway. */
export interface RecordName {
  readonly gw: string
  readonly epoch: string
  readonly seq: number
}

/**
 * The day that a record gives to one of an unsynced past, whole or by stretches (decisions.md, Usage records). Undefined
 * where it gives none: it is not of that kind, it names no record before it that has no day and is of the same
 * organisation, or the stretch has its day already. A gateway that was set back tells its past again under a new epoch;
 * the first word counts. Evidence is judged by the same rule (docs/evidence.md, Sums).
 */
export async function labelBy(
  db: Db,
  record: UsageRecord,
  { taken, find, now, turn }: Unwritten & { readonly now: number; readonly turn: number },
): Promise<NewDayAssign | undefined> {
  const label = labelOf(record, { now, turn })
  if (label === undefined) return undefined
  const { gateway, of_epoch, corrects } = label
  const name = { gw: gateway, epoch: of_epoch, seq: corrects }
  const labelled = find(name)
  const owner = labelled === undefined ? await undatedOwner(db, name) : undatedOrg(labelled)
  return owner === record.org && (await isFree(db, taken, label)) ? label : undefined
}

/** What this transaction has taken so far: it is in no table yet. */
interface Unwritten {
  readonly taken: readonly NewDayAssign[]
  readonly find: (name: RecordName) => UsageRecord | undefined
}

const undatedOrg = ({ org, time }: UsageRecord): string | undefined => (time.day === null ? org : undefined)

function labelOf(
  record: UsageRecord,
  { now, turn }: { now: number; turn: number },
): NewDayAssign | undefined {
  const { gw: gateway, epoch, seq, corrects, time } = record
  const share = record.share ?? WHOLE_RECORD
  if (record.kind !== 'day_assign' || corrects === null || time.day === null) return undefined
  return {
    gateway,
    epoch,
    seq,
    of_epoch: share.epoch ?? epoch,
    corrects,
    day: time.day,
    share_from: share.from,
    share_to: share.to,
    share_of: share.of,
    received_at: now,
    posted: turn,
  }
}

async function isFree(db: Db, taken: readonly NewDayAssign[], label: NewDayAssign): Promise<boolean> {
  const { gateway, of_epoch, corrects } = label
  const waiting = taken.filter(
    (other) => other.gateway === gateway && other.of_epoch === of_epoch && other.corrects === corrects,
  )
  const stored = await sharesOf(db, { gateway, epoch: of_epoch, seq: corrects })
  return ![...waiting, ...stored].some((other) => stretchesOverlap(stretchOf(other), stretchOf(label)))
}

type Stretch = Pick<NewDayAssign, 'share_from' | 'share_to' | 'share_of'>
const stretchOf = ({ share_from: from, share_to: to, share_of: of }: Stretch) => ({ from, to, of })
