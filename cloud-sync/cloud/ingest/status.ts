import {
  type Ack,
  type Epoch,
  type GatewayId,
  type GatewayStatus,
  type Stream,
  STREAMS,
  ZERO_HASH,
} from '../../contract/index.ts'
import { newestOf } from '../ledger/index.ts'
import { type Db, openStream, saveReport, type StreamPosition, streamsOf } from '../storage/index.ts'
import { type Answer, answer } from './post.ts'

type Announced = NonNullable<NonNullable<GatewayStatus['streams']>[Stream]>

/**
 * Notes what a gateway says about itself, opens the epochs it announces, and answers where each of its streams stands:
 * the announced epoch and, so that a gateway that lost its memory can name its parent, the newest one known.
 */
export async function noteStatus(
  db: Db,
  { gateway, status }: { gateway: GatewayId; status: GatewayStatus },
  now: number,
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
  const known = await streamsOf(db, gateway)
  const answers: Answer[] = []
  for (const stream of STREAMS) {
    const positions = known.filter((position) => position.stream === stream)
    const announced = status.streams?.[stream]
    if (announced !== undefined) {
      answers.push(await answerAnnounced(db, { gateway, stream, announced, positions, now }))
    }
    const newest = newestOf(positions)
    if (newest !== undefined && newest.epoch !== announced?.epoch) {
      answers.push(answer(newest, statusOf(newest, positions)))
    }
  }
  return answers
}

async function answerAnnounced(
  db: Db,
  asked: {
    gateway: GatewayId
    stream: Stream
    announced: Announced
    positions: readonly StreamPosition[]
    now: number
  },
): Promise<Answer> {
  const { gateway, stream, announced, positions, now } = asked
  const { epoch, parent } = announced
  const known = positions.find((position) => position.epoch === epoch)
  if (known !== undefined) return answer(known, statusOf(known, positions))
  const verdict = judgeEpoch(parent, positions)
  if (verdict !== 'ok') return { stream, epoch, upTo: 0, hash: ZERO_HASH, status: verdict }
  return answer(await openStream(db, { gateway, stream, epoch }, { parent, now }), 'ok')
}

/**
 * A gateway's first epoch opens, and one that names a known parent which has no child yet. A second child is a copy of
 * the gateway: `fork`. One that names no parent is told so once (`unknown_epoch`), and one that names a parent never
 * seen waits for the operator (`hold`): told `unknown_epoch` again, it would only open the next one, for ever.
 */
function judgeEpoch(parent: Epoch | null, positions: readonly StreamPosition[]): Ack['status'] {
  if (positions.length === 0) return 'ok'
  if (parent === null) return 'unknown_epoch'
  if (!positions.some(({ epoch }) => epoch === parent)) return 'hold'
  return positions.some((position) => position.parent === parent) ? 'fork' : 'ok'
}

/** A forked stream, or one with a child, takes nothing more. */
function statusOf(position: StreamPosition, positions: readonly StreamPosition[]): Ack['status'] {
  const superseded = positions.some(({ parent }) => parent === position.epoch)
  return position.state === 'forked' || superseded ? 'fork' : 'ok'
}
