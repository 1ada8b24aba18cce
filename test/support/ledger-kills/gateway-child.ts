import { Pipeline } from '../../../agent/pipeline.ts'
import { openStore } from '../../../agent/storage/index.ts'
import { signingKey, signMessage } from '../../../cloud-sync/codec/index.ts'
import { type Ack, type Epoch, GatewayStatus } from '../../../cloud-sync/contract/index.ts'
import { ACME, GATEWAY, hastyClock } from '../store.ts'
import type { FromGateway, GatewayDeath, GatewayStart, ToGateway } from './messages.ts'

/**
 * A gateway of the usage stream only: its real store takes readings without a pause, its usage goes to the parent signed,
 * as often as nobody acknowledges it. It dies where it is told to.
 */
const { folder, privateKey, cloudId, from } = JSON.parse(process.argv[2] ?? '') as GatewayStart
const RESEND_MS = 400
/** Longer than a usage interval and a few commits. */
const LAST_INTERVAL_MS = 1_000
const key = signingKey(privateKey)
let death: GatewayDeath | undefined
let quietSince: number | undefined
const say = (message: FromGateway): void => void process.send?.(message)
const failed = (error: unknown): never => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  process.exit(4)
}
const die = (): void => void process.kill(process.pid, 'SIGKILL')

const store = openStore({
  folder,
  gateway: GATEWAY,
  clockFrom: hastyClock,
  trust: null,
  cloudConfigured: true,
  organisation: ACME,
  sw: '0.1.0',
  cfg: 'test',
  windowMs: 4,
  intervalMs: 20,
  liveDelayMs: 1_000,
  onDamage: (error) => {
    throw error
  },
  onRefused: (error) => {
    throw new Error('refused', { cause: error })
  },
})
const pipeline = new Pipeline({
  store,
  organisation: ACME,
  proposed: new Map(),
  resolutionOf: () => ({ step: 1, digits: 0 }),
  publish: async () => undefined,
  onPublishFailed: (error) => {
    throw error
  },
})

function announce(): void {
  const { usage } = store.outbox.streams()
  say({ what: 'status', status: GatewayStatus.parse({ online: true, streams: { usage } }) })
}

async function takeForEver(): Promise<void> {
  const fixed = {
    channel: 'n',
    sensor: 'main',
    unit: '1',
    quality: 'good',
    reason: null,
    derived: false,
  } as const
  for (let next = from; ; next += 1) {
    if (quietSince === undefined) {
      const place = { device: `device-${next % 3}`, takenAt: Date.UTC(2026, 10, 21) + next }
      await pipeline.take([{ ...place, ...fixed, value: next, calibration: 0, alarm: true, payloadBytes: 2 }])
      say({ what: 'took', number: next })
    }
    // The usage interval ends with a commit.
    else await store.writer.submit(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

let cursor = 0
let heardAt = performance.now()

async function sendForEver(): Promise<void> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    if (performance.now() - heardAt > RESEND_MS) {
      heardAt = performance.now()
      cursor = 0
      announce()
    }
    const batch = await store.outbox.next('usage', cursor)
    if (batch === undefined) {
      idle()
      continue
    }
    cursor = batch.last
    say({ what: 'usage', payload: signMessage({ kind: 'usage', recipient: cloudId, body: batch.body, key }) })
  }
}

/** Says so once everything that was counted is in a record, and every record acknowledged. */
function idle(): void {
  if (quietSince === undefined || performance.now() - quietSince < LAST_INTERVAL_MS) return
  const count = (query: string): number => store.database.prepare(query).pluck().get() as number
  if (count('SELECT count(*) FROM usage_record WHERE acked_at IS NULL') > 0) return
  if (count('SELECT count(*) FROM register_value WHERE end != reported') > 0) return
  const counted = count(
    "SELECT coalesce(sum(end), 0) FROM register_value JOIN register USING (id) WHERE meter = 'sensor.readings'",
  )
  say({ what: 'idle', counted })
}

async function hear(ack: Ack): Promise<void> {
  heardAt = performance.now()
  const { epoch, oldest = 1 } = store.outbox.streams().usage ?? {}
  const before: Epoch | undefined = epoch
  // One that confirms something new: nothing hangs on the others.
  const prunes = ack.epoch === epoch && ack.upTo >= oldest
  if (death === 'between ack and prune' && prunes) die()
  await store.outbox.acknowledge('usage', ack)
  if (death === 'after prune' && prunes) die()
  if (store.outbox.streams().usage?.epoch !== before) announce()
  cursor = ack.status === 'gap' ? (ack.want ?? 1) - 1 : Math.max(cursor, ack.upTo)
}

process.on('message', (message: ToGateway) => {
  switch (message.what) {
    case 'ack':
      hear(message.ack).catch(failed)
      return
    case 'announce':
      announce()
      return
    case 'quiet':
      quietSince = performance.now()
      return
    case 'die':
      death = message.death
  }
})
process.on('disconnect', () => process.exit(0))
await store.start(new AbortController().signal)
await pipeline.start()
announce()
for (const loop of [takeForEver(), sendForEver()]) loop.catch(failed)
