import { setTimeout as sleep } from 'node:timers/promises'
import { type LoadReport, startLoad } from '../bench/support/load.ts'
import { type BrokerProcess, startHeadgateBroker } from '../support/broker-process.ts'
import type { Harness } from '../support/harness.ts'
import { metricsAt } from '../support/metrics-page.ts'
import { forgetPeak, peakMiB, residentMiB } from '../support/process-figures.ts'
import { RawClient } from '../support/raw-client.ts'
import type { Attack } from './attacks/attack.ts'
import { CONNECTIONS } from './attacks/connections.ts'
import { FLOODS } from './attacks/floods.ts'
import { OVERSIZED } from './attacks/oversized.ts'

const ATTACKS: readonly Attack[] = [...OVERSIZED, ...CONNECTIONS, ...FLOODS]
const SECONDS = 10
const MEMORY_MIB_MAX = 256
const P99_MS_MAX = 1_000
/** Below full scale this runs beside other tests. */
const P99_MS_MAX_SMALL = 5_000
const BYSTANDER_MESSAGES_A_SECOND = 200
/** What one principal has by default. With `--open` all are one principal, which may then leave 1,000 sessions behind. */
const OPTIONS = ['--limit', 'absentSessions=64']

interface Found {
  readonly peakMiB: number
  readonly bystanders: Pick<LoadReport, 'latencyMs' | 'longestGapMs' | 'lost' | 'sent'>
  /** What the attacker saw, and what the broker has counted. */
  readonly refused: number
  readonly counted: number
}

/** One attack, with two bystanders who just go on with their work. */
async function attacked(broker: BrokerProcess, attack: Attack, scale: number): Promise<Found> {
  const { port, pid } = broker
  const before = await metricsAt(broker.metricsUrl)
  const bystanders = await startLoad({
    ...{ port, pid, qos: 1, publishers: 1, subscribers: 1, window: 2_000, payloadBytes: 64 },
    ...{ persistent: false, rate: BYSTANDER_MESSAGES_A_SECOND, warmSeconds: 0.3 },
  })
  forgetPeak(pid)
  const refused = await attack
    .run({ port, scale, seconds: Math.max(0.5, SECONDS * scale) })
    .catch((error: unknown) => {
      throw new Error(`${attack.name}: the attack itself failed`, { cause: error })
    })
  const { latencyMs, longestGapMs, lost, sent } = await bystanders.stop()
  const after = await metricsAt(broker.metricsUrl)
  const counted = after.sum(...attack.counted) - before.sum(...attack.counted)
  return { peakMiB: peakMiB(pid), bystanders: { latencyMs, longestGapMs, lost, sent }, refused, counted }
}

function faultsOf({ name, counted }: Attack, found: Found, p99MsMax: number): string[] {
  const { lost, latencyMs } = found.bystanders
  const faults: string[] = []
  if (found.peakMiB > MEMORY_MIB_MAX) faults.push(`${Math.round(found.peakMiB)} MiB resident`)
  if (latencyMs.p99 > p99MsMax) faults.push(`p99 of the others ${Math.round(latencyMs.p99)} ms`)
  if (lost > 0) faults.push(`the others lost ${lost} messages`)
  if (counted.length > 0 && found.refused === 0) faults.push('nothing was refused')
  if (counted.length > 0 && found.counted < found.refused) {
    faults.push(`${found.refused} refusals, ${found.counted} counted`)
  }
  return faults.map((fault) => `${name}: ${fault}`)
}

/** Whether a client can log in: at once, or when the broker has got over it. */
async function takesClients(port: number): Promise<boolean> {
  for (let tries = 0; tries < 20; tries += 1) {
    try {
      const client = await RawClient.clean(port, 'afterwards')
      client.destroy()
      return true
    } catch {
      await sleep(500)
    }
  }
  return false
}

export const harness: Harness = {
  what: 'Attacks on one broker, one after the other: its memory stays under 256 MiB, bystanders notice nothing, every refusal is counted.',
  async run({ scale, progress }) {
    const broker = await startHeadgateBroker({ args: OPTIONS })
    const figures: Record<string, Found> = {}
    const failures: string[] = []
    try {
      for (const attack of ATTACKS) {
        const found = await attacked(broker, attack, scale)
        figures[attack.name] = found
        failures.push(...faultsOf(attack, found, scale >= 1 ? P99_MS_MAX : P99_MS_MAX_SMALL))
        progress(
          `${attack.name}: ${Math.round(found.peakMiB)} MiB, p99 ${found.bystanders.latencyMs.p99.toFixed(1)} ms, ` +
            `${found.refused} refused, ${found.counted} counted`,
        )
        if (!broker.isAlive()) break
        if (!(await takesClients(broker.port))) failures.push(`${attack.name}: nobody can log in after it`)
      }
      if (!broker.isAlive()) failures.push('the broker has died')
      const residentAtEndMiB = residentMiB(broker.pid)
      return { figures: { ...figures, residentAtEndMiB }, failures }
    } finally {
      await broker.end('SIGKILL')
    }
  },
}
