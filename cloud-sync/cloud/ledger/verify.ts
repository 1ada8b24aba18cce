import { type Epoch, type GatewayId, ZERO_HASH } from '../../contract/index.ts'
import { factName, Sums } from '../../evidence/index.ts'
import {
  batchesOf,
  type Db,
  organisationsOn,
  type StreamPosition,
  streamsOf,
  usageDays,
} from '../storage/index.ts'
import { factOf } from './evidence.ts'
import { firstWithoutMessage, type Signer } from './verify-messages.ts'
import { type UsageFault, UsageWalk } from './verify-usage.ts'

/** What a walk over everything stored for one gateway found. */
export interface Verification {
  readonly ok: boolean
  readonly records: number
  readonly batches: number
  readonly readings: number
  /** Records that nobody has any more: the ledger goes on behind them, and that is sound. */
  readonly losses: readonly { epoch: Epoch; first: number; last: number; bookedAt: number }[]
  /** The first thing that is wrong in each stream and epoch. */
  readonly faults: readonly Fault[]
}
/**
 * `message`: the signed message that brought a record is not there, not signed, or another one. `sum`: what the records
 * add up to is not what bills are made of; of no single record, so number 0.
 */
export interface Fault {
  readonly stream: string
  readonly epoch: Epoch
  readonly seq: number
  readonly because: UsageFault | 'message' | 'sum' | 'readings'
}
/** Where sums are billed of a gateway that has no epoch at all. */
const NO_EPOCH = '0'.repeat(32) as Epoch
type Found = Pick<Fault, 'seq' | 'because'> | undefined

/**
 * Recomputes everything that is stored of a gateway from the bytes of its records and batches, believing nothing else
 * in the tables: hashes, chains, registers, postings, labels, heads, and the sums that bills are made of. `signer`: also
 * whether each message is signed.
 */
export async function verifyGateway(db: Db, gateway: GatewayId, signer?: Signer): Promise<Verification> {
  const faults: Fault[] = []
  const counts = { batches: 0, readings: 0 }
  const positions = parentsFirst(await streamsOf(db, gateway))
  for (const position of positions) {
    if (position.stream === 'usage' || position.stream === 'evt') continue
    const { stream, epoch } = position
    const walked = await walkReadings(db, position)
    counts.batches += walked.batches
    counts.readings += walked.readings
    if (walked.fault !== undefined) faults.push({ stream, epoch, ...walked.fault })
  }
  const usage = positions.filter(({ stream }) => stream === 'usage')
  const { records, found, losses } = await walkUsage(db, usage, { gateway, signer })
  faults.push(...found)
  return { ok: faults.length === 0, records, ...counts, losses, faults }
}

async function walkUsage(
  db: Db,
  positions: readonly StreamPosition[],
  { gateway, signer }: { gateway: GatewayId; signer: Signer | undefined },
): Promise<Pick<Verification, 'records' | 'losses'> & { found: Fault[] }> {
  const sums = new Sums()
  const walks = new Map<Epoch, UsageWalk>()
  const found: Fault[] = []
  const losses: Verification['losses'][number][] = []
  let records = 0
  for (const position of positions) {
    const { stream, epoch, parent } = position
    const walk = new UsageWalk(position, { sums, parent: parent === null ? undefined : walks.get(parent) })
    walks.set(epoch, walk)
    const wrong = await walk.run(db)
    records += walk.records
    losses.push(...walk.losses.map(({ first, last, bookedAt }) => ({ epoch, first, last, bookedAt })))
    if (wrong !== undefined) found.push({ stream, epoch, ...wrong })
    const bare = wrong === undefined ? await firstWithoutMessage(db, position, signer) : undefined
    if (bare !== undefined) found.push({ stream, epoch, seq: bare, because: 'message' })
  }
  if (found.length > 0 || (await areBilled(db, gateway, sums))) return { records, found, losses }
  const epoch = positions.at(-1)?.epoch ?? NO_EPOCH
  return { records, losses, found: [{ stream: 'usage', epoch, seq: 0, because: 'sum' }] }
}

/** Whether bills are made of what the records add up to: asked as bills ask. */
async function areBilled(db: Db, gateway: GatewayId, sums: Sums): Promise<boolean> {
  const added = sums.within({ from: null, to: null })
  let billed = 0
  for (const org of await organisationsOn(db, gateway)) {
    const days = await usageDays(db, { org, gateways: [gateway] })
    for (const day of days) if (added.get(factName(factOf(day))) !== day.quantity) return false
    billed += days.length
  }
  return billed === added.size
}

/** Each epoch after the one whose registers it goes on with. */
function parentsFirst(positions: readonly StreamPosition[]): StreamPosition[] {
  const depthOf = ({ stream, parent }: StreamPosition, seen = 0): number => {
    const before = positions.find((one) => one.stream === stream && one.epoch === parent)
    return before === undefined || seen > positions.length ? seen : depthOf(before, seen + 1)
  }
  return positions.toSorted((a, b) => depthOf(a) - depthOf(b))
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
