import {
  type Ack,
  type Epoch,
  type GatewayId,
  type GatewayStatus,
  type Stream,
  STREAMS,
  ZERO_HASH,
} from '../../contract/index.ts'
import { isHeld, isOver, newestOf } from '../ledger/index.ts'
import { type Db, hashesAt, type HeldStreams, saveReport, type StreamPosition } from '../storage/index.ts'
import { answer } from './post.ts'
import type { Answer, Posting } from './posting.ts'

type Announced = NonNullable<NonNullable<GatewayStatus['streams']>[Stream]>

/**
 * Notes what a gateway says about itself, opens the epochs it announces, and answers where each of its streams stands:
 * the announced epoch and, so that a gateway that lost its memory can name its parent, the newest one known.
 */
export async function noteStatus(
  { db, streams, now }: Posting,
  { gateway, status }: { gateway: GatewayId; status: GatewayStatus },
): Promise<Answer[]> {
  await saveReport(db, {
    gateway,
    lastSeenAt: now,
    online: status.online,
    ...(status.bootId === undefined ? {} : { bootId: status.bootId }),
    ...(status.sw === undefined ? {} : { sw: status.sw }),
    ...(status.policy === undefined ? {} : { policy: status.policy }),
  })
  if (!status.online) return []
  const answers: Answer[] = []
  for (const stream of STREAMS) {
    const positions = streams.epochsOf({ gateway, stream })
    const announced = status.streams?.[stream]
    if (announced !== undefined) {
      const answered = answerAnnounced(streams, { gateway, stream, announced })
      answers.push(await withAgreed(db, { gateway, announced, answered }))
    }
    const newest = newestOf(positions)
    if (newest !== undefined && newest.epoch !== announced?.epoch) {
      answers.push(answer(newest, statusOf(streams, newest)))
    }
  }
  return answers
}

function answerAnnounced(
  streams: HeldStreams,
  asked: { gateway: GatewayId; stream: Stream; announced: Announced },
): Answer {
  const { gateway, stream, announced } = asked
  const { epoch, parent } = announced
  const key = { gateway, stream, epoch }
  const known = streams.find(key)
  if (known !== undefined) return answer(known, statusOf(streams, known))
  const verdict = isHeld(streams, { ...key, parent }) ? 'hold' : judgeEpoch(parent, streams.epochsOf(key))
  if (verdict !== 'ok') return { stream, epoch, upTo: 0, hash: ZERO_HASH, status: verdict }
  return answer(streams.open(key, parent), 'ok')
}

/** Chains are equal up to the last mark that is equal, so that a gateway that was set back knows since when. */
async function withAgreed(
  db: Db,
  { gateway, announced, answered }: { gateway: GatewayId; announced: Announced; answered: Answer },
): Promise<Answer> {
  const { epoch, marks } = announced
  if (marks === undefined || answered.stream !== 'usage') return answered
  const hashes = await hashesAt(db, { gateway, epoch, seqs: marks.map(({ seq }) => seq) })
  const equal = marks.filter(({ seq, hash }) => seq === 0 || hashes.get(seq) === hash)
  return { ...answered, agreed: Math.max(0, ...equal.map(({ seq }) => seq)) }
}

/**
 * A gateway's first epoch opens, and one that names a known parent which has no child yet. A second child is a copy of
 * the gateway: `fork`. One that names no parent is told so once (`unknown_epoch`), and one that names a parent never
 * seen waits for the operator (`hold`): told `unknown_epoch` again, it would only open the next one, for ever. So does
 * one that comes after a fork of usage.
 */
function judgeEpoch(parent: Epoch | null, positions: readonly StreamPosition[]): Ack['status'] {
  if (positions.length === 0) return 'ok'
  if (parent === null) return 'unknown_epoch'
  if (!positions.some(({ epoch }) => epoch === parent)) return 'hold'
  return positions.some((position) => position.parent === parent) ? 'fork' : 'ok'
}

/** A forked stream, or one with a child, takes nothing more; what comes after a fork waits. */
function statusOf(streams: HeldStreams, position: StreamPosition): Ack['status'] {
  if (isOver(streams, position)) return 'fork'
  return isHeld(streams, position) ? 'hold' : 'ok'
}
