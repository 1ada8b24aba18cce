import type { Epoch, GatewayId, Hash } from '../../contract/index.ts'
import { ZERO_HASH } from '../../contract/index.ts'
import { decodeRecord, sha256 } from '../../codec/index.ts'
import {
  batchesOf,
  type Db,
  recordsOf,
  registersOf,
  type StreamPosition,
  streamsOf,
  type UsageRecordRow,
} from '../storage/index.ts'

/** What a walk over everything stored for one gateway found. */
export interface Verification {
  readonly ok: boolean
  readonly records: number
  readonly batches: number
  readonly readings: number
  /** The first thing that is wrong in each stream and epoch. */
  readonly faults: readonly Fault[]
}
export interface Fault {
  readonly stream: string
  readonly epoch: Epoch
  readonly seq: number
  readonly because: 'hash' | 'bytes' | 'seq' | 'prev' | 'head' | 'register' | 'readings'
}

/** Recomputes hash, chain, registers and heads from the stored bytes, believing nothing else in the tables. */
export async function verifyGateway(db: Db, gateway: GatewayId): Promise<Verification> {
  const faults: Fault[] = []
  let records = 0
  let batches = 0
  let readings = 0
  for (const position of await streamsOf(db, gateway)) {
    const { stream, epoch } = position
    const note = (found: { seq: number; because: Fault['because'] } | undefined): void => {
      if (found !== undefined) faults.push({ stream, epoch, ...found })
    }
    if (stream === 'usage') {
      const walked = await walkUsage(db, position)
      records += walked.records
      note(walked.fault)
    } else if (stream !== 'evt') {
      const walked = await walkReadings(db, position)
      batches += walked.batches
      readings += walked.readings
      note(walked.fault)
    }
  }
  return { ok: faults.length === 0, records, batches, readings, faults }
}

type Found = { seq: number; because: Fault['because'] } | undefined

async function walkUsage(db: Db, position: StreamPosition): Promise<{ records: number; fault: Found }> {
  let head: Hash = ZERO_HASH
  let records = 0
  const ends = new Map<string, bigint>()
  for await (const row of recordsOf(db, position)) {
    records += 1
    const because = faultOf(row, { seq: records, head, position })
    if (because !== undefined) return { records, fault: { seq: row.seq, because } }
    for (const { meter, subject, gen, end } of decodeRecord(row.bytes).registers) {
      const name = `${meter} ${subject} ${gen}`
      if (end < (ends.get(name) ?? 0n)) return { records, fault: { seq: row.seq, because: 'register' } }
      ends.set(name, end)
    }
    head = row.hash as Hash
  }
  if (head !== position.head || records !== position.upTo) {
    return { records, fault: { seq: records, because: 'head' } }
  }
  const posted = await registersOf(db, position)
  const same = posted.every(({ meter, subject, gen, end }) => ends.get(`${meter} ${subject} ${gen}`) === end)
  const fault: Found = same && posted.length === ends.size ? undefined : { seq: records, because: 'register' }
  return { records, fault }
}

function faultOf(
  row: UsageRecordRow,
  expected: { seq: number; head: Hash; position: StreamPosition },
): Fault['because'] | undefined {
  if (row.seq !== expected.seq) return 'seq'
  if (sha256(row.bytes) !== row.hash) return 'hash'
  try {
    const record = decodeRecord(row.bytes)
    const { gateway, epoch } = expected.position
    if (record.gw !== gateway || record.epoch !== epoch || record.org !== row.org) return 'bytes'
    if (record.seq !== row.seq) return 'seq'
    return record.prev === expected.head ? undefined : 'prev'
  } catch {
    // The decoder throws for any bytes it did not write, and that is the finding.
    return 'bytes'
  }
}

async function walkReadings(
  db: Db,
  position: StreamPosition,
): Promise<{ batches: number; readings: number; fault: Found }> {
  let head: string = ZERO_HASH
  let batches = 0
  let readings = 0
  for await (const batch of batchesOf(db, position)) {
    batches += 1
    readings += batch.readings
    const fault = (because: Fault['because']) => ({ batches, readings, fault: { seq: batch.seq, because } })
    if (batch.seq !== batches) return fault('seq')
    if (batch.prev !== head) return fault('prev')
    if (batch.stored !== batch.readings) return fault('readings')
    head = batch.hash
  }
  const whole = head === position.head && batches === position.upTo
  return { batches, readings, fault: whole ? undefined : { seq: batches, because: 'head' } }
}
