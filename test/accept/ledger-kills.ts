import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { verifyGateway } from '../../cloud-sync/cloud/ledger/index.ts'
import { type DatabaseTarget, openLedger, postedTotals } from '../../cloud-sync/cloud/storage/index.ts'
import { type Harness, scaled } from '../support/harness.ts'
import { LedgerRig } from '../support/ledger-kills/rig.ts'
import { havePeer } from '../support/peers.ts'
import { startPostgres } from '../support/postgres.ts'
import { GATEWAY } from '../support/store.ts'

const ROUNDS = 200
/** So long both live between two deaths at most, ms. */
const LIFE_MS_MAX = 60

export const harness: Harness = {
  what: 'Cloud and gateway killed between commit, acknowledgement and pruning: every reading is billed once, on both engines.',
  async run({ scale, progress }) {
    const rounds = scaled(ROUNDS, scale, 4)
    const folder = mkdtempSync(join(tmpdir(), 'headgate-ledger-kills-'))
    const figures: Record<string, unknown> = {}
    const failures: string[] = []
    const on = async (name: string, target: DatabaseTarget, clouds: number): Promise<void> => {
      const run = {
        folder: join(folder, name),
        target,
        clouds,
        rounds,
        progress: (text: string) => {
          progress(`${name}: ${text}`)
        },
      }
      const { failures: found, ...counted } = await killed(run)
      figures[name] = counted
      failures.push(...found.map((failure) => `${name}: ${failure}`))
    }
    try {
      await on('sqlite', { dialect: 'sqlite', path: join(folder, 'cloud.db') }, 1)
      if (havePeer('postgresql')) {
        const cluster = await startPostgres()
        try {
          // Two workers that both get every message.
          await on('postgres', { dialect: 'postgres', url: cluster.database('ledger') }, 2)
        } finally {
          await cluster.stop()
        }
      }
      return { figures: { rounds, ...figures }, failures }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

const POINTS = ['between commit and ack', 'between ack and prune', 'after ack', 'after prune'] as const

async function killed(run: {
  folder: string
  target: DatabaseTarget
  clouds: number
  rounds: number
  progress: (text: string) => void
}): Promise<{ rounds: number; readings: number; records: number; acknowledged: number; failures: string[] }> {
  const { folder, target, clouds, rounds, progress } = run
  const rig = new LedgerRig({ folder, target, clouds })
  try {
    await rig.start()
    for (let round = 0; round < rounds; round += 1) {
      // Steps that share no factor with any timer inside.
      await sleep((round * 37) % LIFE_MS_MAX)
      const point = POINTS[round % POINTS.length] ?? 'after ack'
      if (point === 'between ack and prune' || point === 'after prune') await rig.killGateway(point)
      else await rig.killCloud(round % clouds, point)
      if (round % 10 === 9) progress(`${round + 1} of ${rounds} rounds`)
    }
    const counted = await rig.quiet()
    return { rounds, ...(await judged(rig, { target, counted })) }
  } finally {
    await rig.stop()
  }
}

async function judged(rig: LedgerRig, { target, counted }: { target: DatabaseTarget; counted: number }) {
  await rig.stop()
  const failures: string[] = []
  const db = await openLedger(target)
  try {
    const verified = await verifyGateway(db.read, GATEWAY)
    if (!verified.ok) failures.push(`the ledger does not verify: ${JSON.stringify(verified.faults)}`)
    const posted = (await postedTotals(db.read, GATEWAY)).filter(({ meter }) => meter === 'sensor.readings')
    const readings = Number(posted.reduce((sum, { quantity }) => sum + quantity, 0n))
    if (readings !== counted) failures.push(`${readings} readings billed, ${counted} counted at the gateway`)
    if (counted < rig.took) failures.push(`${counted} readings counted, ${rig.took} were committed`)
    const stored = await db.read.selectFrom('usage_record').select(['epoch', 'seq', 'hash']).execute()
    const hashes = new Map(stored.map(({ epoch, seq, hash }) => [`${epoch} ${seq}`, hash]))
    for (const [name, hash] of rig.acknowledged) {
      if (hashes.get(name) !== hash) failures.push(`record ${name} was acknowledged and is not in the ledger`)
    }
    if (rig.acknowledged.size === 0) failures.push('nothing was acknowledged: nothing was tested')
    const epochs = new Set(stored.map(({ epoch }) => epoch))
    if (epochs.size !== 1) failures.push(`${epochs.size} epochs: a kill is no reason to leave one`)
    return { readings, records: verified.records, acknowledged: rig.acknowledged.size, failures }
  } finally {
    await db.close()
  }
}
