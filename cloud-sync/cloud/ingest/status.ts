import {
  type Ack,
  type GatewayId,
  type GatewayStatus,
  type Stream,
  STREAMS,
  ZERO_HASH,
} from '../../contract/index.ts'
import { isHeld, isOver, judgeEpoch, newestOf } from '../ledger/index.ts'
import {
  type Db,
  hashesAt,
  type HeldBecause,
  type HeldEpoch,
  type HeldStreams,
  noteHeld,
  saveReport,
  type StreamPosition,
  tellLoss,
} from '../storage/index.ts'
import { answer } from './post.ts'
import type { Answer, Outcome, Posting } from './posting.ts'

type Announced = NonNullable<NonNullable<GatewayStatus['streams']>[Stream]>

/**
 * Notes what a gateway says about itself, opens the epochs it announces, and answers where each of its streams stands:
 * the announced epoch and, so that a gateway that lost its memory can name its parent, the newest one known. What does not
 * open is noted for the operator; `held` are those that were not noted before.
 */
export async function noteStatus(
  posting: Posting,
  said: { gateway: GatewayId; status: GatewayStatus },
): Promise<Pick<Outcome, 'answers' | 'held'>> {
  await report(posting, said)
  if (!said.status.online) return { answers: [] }
  const all = await answerAll(posting, said)
  const answers = all.flatMap((one) => one.answers)
  const held = all.flatMap((one) => one.held ?? [])
  return { answers, ...(held.length === 0 ? {} : { held }) }
}

async function report(
  { db, now }: Posting,
  { gateway, status }: { gateway: GatewayId; status: GatewayStatus },
): Promise<void> {
  await saveReport(db, {
    gateway,
    lastSeenAt: now,
    online: status.online,
    ...(status.bootId === undefined ? {} : { bootId: status.bootId }),
    ...(status.sw === undefined ? {} : { sw: status.sw }),
    ...(status.policy === undefined ? {} : { policy: status.policy }),
  })
}

async function answerAll(
  { db, streams, now }: Posting,
  { gateway, status }: { gateway: GatewayId; status: GatewayStatus },
): Promise<{ readonly answers: Answer[]; readonly held?: HeldEpoch }[]> {
  const answered: { answers: Answer[]; held?: HeldEpoch }[] = []
  const usageEpoch = status.streams?.usage?.epoch ?? null
  for (const stream of STREAMS) {
    const positions = streams.epochsOf({ gateway, stream })
    const announced = status.streams?.[stream]
    if (announced !== undefined) {
      const { answer: first, because } = answerAnnounced(streams, { gateway, stream, announced })
      const answers = [await standing({ db, now }, { gateway, announced, answered: first })]
      const { epoch, parent } = announced
      const held = because && { gateway, stream, epoch, parent, usageEpoch, because }
      answered.push({ answers, ...(await newsOf(db, held, now)) })
    }
    const newest = newestOf(positions)
    if (newest !== undefined && newest.epoch !== announced?.epoch)
      answered.push({ answers: [answer(newest, statusOf(streams, newest))] })
  }
  return answered
}

/** What was not noted before. */
async function newsOf(db: Db, held: HeldEpoch | undefined, now: number): Promise<{ held?: HeldEpoch }> {
  return held !== undefined && (await noteHeld(db, held, now)) ? { held } : {}
}

function answerAnnounced(
  streams: HeldStreams,
  asked: { gateway: GatewayId; stream: Stream; announced: Announced },
): { answer: Answer; because?: HeldBecause } {
  const { gateway, stream, announced } = asked
  const { epoch, parent } = announced
  const key = { gateway, stream, epoch }
  const known = streams.find(key)
  if (known !== undefined) return { answer: answer(known, statusOf(streams, known)) }
  const verdict = judgeEpoch(streams, { ...key, parent })
  // A ledger that knows nothing of this stream begins with this epoch: it goes on where nothing stood.
  const from = streams.epochsOf(key).length === 0 ? null : parent
  if (verdict === 'ok') return { answer: answer(streams.open(key, from), 'ok') }
  const nothing = { stream, epoch, upTo: 0, hash: ZERO_HASH }
  if (verdict === 'unknown_epoch') return { answer: { ...nothing, status: verdict } }
  return { answer: { ...nothing, status: 'hold' }, because: verdict }
}

/** What is said of a stream of usage beside where it stands. */
async function standing(
  { db, now }: Pick<Posting, 'db' | 'now'>,
  said: { gateway: GatewayId; announced: Announced; answered: Answer },
): Promise<Answer> {
  if (said.answered.stream !== 'usage') return said.answered
  const stood = await withAgreed(db, said)
  return overLoss(db, { ...said, stood, now })
}

/**
 * Where the ledger wants what its gateway has no more (it was put back from a backup, older than what gateways keep once
 * it is confirmed), it asks for the first record that there is. What is missing is booked when that has come: post.ts.
 */
async function overLoss(
  db: Db,
  {
    gateway,
    announced,
    stood,
    now,
  }: { gateway: GatewayId; announced: Announced; stood: Answer; now: number },
): Promise<Answer> {
  const { kept = 1, next, epoch } = announced
  const first = stood.upTo + 1
  if (stood.status !== 'ok' || kept <= first || kept > next) return stood
  await tellLoss(db, { gateway, epoch, first, last: kept - 1, now })
  return { ...stood, status: 'gap', want: kept }
}

/** Chains are equal up to the last mark that is equal, so that a gateway that was set back knows since when. */
async function withAgreed(
  db: Db,
  { gateway, announced, answered }: { gateway: GatewayId; announced: Announced; answered: Answer },
): Promise<Answer> {
  const { epoch, marks } = announced
  if (marks === undefined) return answered
  const hashes = await hashesAt(db, { gateway, epoch, seqs: marks.map(({ seq }) => seq) })
  const equal = marks.filter(({ seq, hash }) => seq === 0 || hashes.get(seq) === hash)
  return { ...answered, agreed: Math.max(0, ...equal.map(({ seq }) => seq)) }
}

/** A forked stream, or one with a child, takes nothing more; what comes after a fork waits. */
function statusOf(streams: HeldStreams, position: StreamPosition): Ack['status'] {
  if (isOver(streams, position)) return 'fork'
  return isHeld(streams, position) ? 'hold' : 'ok'
}
