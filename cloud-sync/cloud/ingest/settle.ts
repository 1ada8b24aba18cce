import type { SealedRecord } from '../../contract/index.ts'
import { openPosting } from '../ledger/index.ts'
import {
  type CloudDatabase,
  type Db,
  holdStreams,
  noteSeen,
  quarantine,
  saveReport,
  takeTurn,
} from '../storage/index.ts'
import type { Delivery, Incoming } from './open.ts'
import { post, QUARANTINE_KEPT_MAX } from './post.ts'
import type { Answer, Outcome, Posting } from './posting.ts'
import { noteStatus } from './status.ts'

/** A transaction takes no further message after this long, ms: SQLite keeps the whole process busy meanwhile. */
const TOGETHER_MS_MAX = 50
/** Usage records and register ends of one transaction: they are written at its end, whatever the clock says. */
const RECORDS_TOGETHER_MAX = 200
const INTERVALS_TOGETHER_MAX = 12_000

/** Posts the first of these messages in ONE transaction, as many as there is time for: an outcome for each. */
export async function settleTogether(
  waiting: readonly Incoming[],
  { db, now: clock, monoMs }: { db: CloudDatabase; now: () => number; monoMs: () => number },
): Promise<Outcome[]> {
  const now = clock()
  const together = bounded(waiting)
  await db.readyFor(now)
  return db.transaction(async (tx) => {
    const batches = together.flatMap(usageIn)
    // Before any lock on a row: who closes a month waits for those that have a turn, and they for nobody who waits.
    const turn = batches.length === 0 ? 0 : await takeTurn(tx, now)
    const gateways = [...new Set(together.map(({ gateway }) => gateway))]
    const streams = await holdStreams(tx, gateways, now)
    const usage = await openPosting(tx, { streams, batches, now, turn })
    const posting: Posting = { db: tx, streams, usage, now, lost: [] }
    const outcomes: Outcome[] = []
    const started = monoMs()
    for (const incoming of together) {
      outcomes.push(await settle(posting, incoming))
      if (monoMs() - started >= TOGETHER_MS_MAX) break
    }
    const wrong = await usage.write()
    await streams.write()
    await noteSeen(tx, [...new Set(outcomes.map(({ gateway }) => gateway))].sort(), now)
    return noted(tx, { outcomes, wrong, now })
  })
}

/** Kept apart, so that an operator sees which day of which gateway is not whole. */
async function noted(
  db: Db,
  { outcomes, wrong, now }: { outcomes: readonly Outcome[]; wrong: readonly SealedRecord[]; now: number },
): Promise<Outcome[]> {
  for (const { record, bytes, hash } of wrong) {
    const where = { gateway: record.gw, stream: 'usage', epoch: record.epoch } as const
    await quarantine(db, { ...where, reason: 'day-close', hash, bytes, at: now }, QUARANTINE_KEPT_MAX)
  }
  return outcomes.map((outcome) => {
    const days = wrong.flatMap(({ record: { gw, org, time } }) =>
      gw === outcome.gateway ? [{ org, day: time.day }] : [],
    )
    return days.length === 0 ? outcome : { ...outcome, incomplete: days }
  })
}

const usageIn = (incoming: Incoming) => (incoming.what === 'usage' ? [incoming.batch] : [])

/** At least one message. */
function bounded(waiting: readonly Incoming[]): readonly Incoming[] {
  let records = 0
  let intervals = 0
  const last = waiting.findIndex((incoming, at) => {
    for (const batch of usageIn(incoming)) {
      records += batch.records.length
      for (const { record } of batch.records) intervals += record.registers.length
    }
    return at > 0 && (records > RECORDS_TOGETHER_MAX || intervals > INTERVALS_TOGETHER_MAX)
  })
  return last === -1 ? waiting : waiting.slice(0, last)
}

async function settle(posting: Posting, incoming: Incoming): Promise<Outcome> {
  const { db, now } = posting
  const { gateway } = incoming
  switch (incoming.what) {
    case 'status':
      return { gateway, ...(await noteStatus(posting, incoming)), online: incoming.status.online }
    case 'want': {
      const { generation, have, want, applied } = incoming.want
      await saveReport(db, { gateway, lastSeenAt: now, policy: applied, policyGeneration: generation })
      return { gateway, answers: [], ...(want ? { have: { generation, version: have } } : {}) }
    }
    case 'prop':
      return { gateway, answers: [] }
    case 'unreadable': {
      const { epoch, seq, hash, body: bytes } = incoming
      const where = { gateway, stream: 'usage', epoch, reason: `malformed at ${seq}` } as const
      await quarantine(db, { ...where, hash, bytes, at: now }, QUARANTINE_KEPT_MAX)
      return { gateway, answers: [], unreadable: { epoch, seq } }
    }
    case 'usage':
    case 'rd':
    case 'rd/h':
    case 'evt':
      return { ...posted(incoming, await post(posting, incoming)), ...lostIn(posting) }
  }
}

/** Of the message that was just posted. */
function lostIn({ lost }: Posting): Pick<Outcome, 'lost'> {
  const [booked] = lost.splice(0)
  return booked === undefined ? {} : { lost: booked }
}

function posted(delivery: Delivery, answer: Answer | undefined): Outcome {
  const { gateway, what } = delivery
  if (answer === undefined) return { gateway, answers: [], unannounced: true }
  if (what === 'evt' && answer.status === 'ok')
    return { gateway, answers: [answer], events: delivery.batch.events }
  const isLive = what === 'rd' && answer.status === 'ok'
  return { gateway, answers: [answer], ...(isLive ? { readings: delivery.batch } : {}) }
}
