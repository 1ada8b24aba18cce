import { openIncoming } from '../../../cloud-sync/cloud/ingest/open.ts'
import type { Outcome } from '../../../cloud-sync/cloud/ingest/posting.ts'
import { createLanes } from '../../../cloud-sync/cloud/ingest/lanes.ts'
import { openLedger } from '../../../cloud-sync/cloud/storage/index.ts'
import type { CloudDeath, CloudStart, FromCloud, ToCloud } from './messages.ts'

/** The cloud's own worker on a real database; what it would send goes to the parent. It dies where it is told to. */
const { target, publicKey, cloudId } = JSON.parse(process.argv[2] ?? '') as CloudStart
let death: CloudDeath | undefined
const say = (message: FromCloud): void => void process.send?.(message)
const failed = (detail: object, message: string): void => {
  process.stderr.write(`${message}: ${JSON.stringify(detail)}\n`)
}

/** Usage was posted, or found to be posted: where a gateway only says that it is there, nothing hangs on the answer. */
const isOfUsage = ({ online, answers }: Outcome): boolean =>
  online === undefined && answers.some(({ stream, status }) => stream === 'usage' && status === 'ok')

const worker = createLanes({
  db: await openLedger(target),
  now: Date.now,
  monoMs: () => performance.now(),
  log: { info: () => undefined, warn: () => undefined, error: failed },
  committed(outcomes) {
    const isUsage = outcomes.some(isOfUsage)
    if (death === 'between commit and ack' && isUsage) process.kill(process.pid, 'SIGKILL')
    for (const { answers } of outcomes) for (const answer of answers) say({ what: 'answer', answer })
    if (death === 'after ack' && isUsage) {
      process.nextTick(() => process.kill(process.pid, 'SIGKILL'))
    }
  },
})
process.on('message', (message: ToCloud) => {
  if (message.what === 'die') {
    death = message.death
    return
  }
  const opened = openIncoming({ cloudId, publicKeyOf: () => publicKey }, message.topic, message.payload)
  if (!opened.ok) throw new Error(opened.because)
  worker.offer(opened.incoming)
})
process.on('disconnect', () => process.exit(0))
say({ what: 'open' })
