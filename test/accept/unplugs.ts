import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../hardware/clock.ts'
import { type MasterEnd, exposePty } from '../../hardware/sim/expose.ts'
import { createWire } from '../../hardware/sim/wire.ts'
import { joinDevice } from '../support/answering-device.ts'
import { type Harness, type HarnessContext, scaled } from '../support/harness.ts'
import type { LineMasterMessage, LineMasterOptions } from '../support/line-master.ts'
import { havePeer } from '../support/peers.ts'

const UNPLUGS = 200
const BAUD = 115_200
const SEEN_MS_MAX = 100
const BACK_MS_MAX = 2_000
/** At a small scale other tests run beside this one: then the bars of time are so many times as wide. */
const WHOLE_SCALE_MIN = 0.2
const BESIDE_OTHERS = 8
const GONE_CPU_PERCENT_MAX = 0.5
/** Traffic before each unplug, and absence after it: at random up to these. */
const TRAFFIC_MS_MAX = 300
const ABSENCE_MS_MAX = 300
/** Every so many absences is long enough to measure what waiting costs. */
const LONG_EVERY = 20
const LONG_MS = 5_000
const LONG_MS_MIN = 2_000
const SETTLE_MS = 300
const PATIENCE_MS = 60_000

interface Figures {
  readonly seenMs: number[]
  readonly backMs: number[]
  goneCpuMs: number
  goneMs: number
  wrong: number
}

const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6

/** The master's messages, waited for by kind. */
class MasterProcess {
  readonly #child: ChildProcess
  readonly #messages: LineMasterMessage[] = []
  #wake: () => void = () => undefined

  constructor(options: LineMasterOptions) {
    this.#child = fork(join(import.meta.dirname, '../support/line-master.ts'), [JSON.stringify(options)])
    this.#child.on('message', (message) => {
      this.#messages.push(message as LineMasterMessage)
      this.#wake()
    })
  }

  get wrong(): number {
    return this.#messages.filter(({ kind }) => kind === 'wrong').length
  }

  /** The first message of this kind not before `since`; null where none comes in time. */
  async next(kind: LineMasterMessage['kind'], since: number): Promise<LineMasterMessage | null> {
    const until = monotonicMs() + PATIENCE_MS
    while (monotonicMs() < until) {
      const found = this.#messages.find((message) => message.kind === kind && message.at >= since)
      if (found !== undefined) return found
      await Promise.race([new Promise<void>((resolve) => (this.#wake = resolve)), sleep(50)])
    }
    return null
  }

  async cpuMs(): Promise<number> {
    const since = monotonicMs()
    this.#child.send('cpu')
    const answer = await this.next('cpu', since)
    return answer?.kind === 'cpu' ? answer.ms : Number.NaN
  }

  async stop(): Promise<void> {
    const gone = once(this.#child, 'exit')
    this.#child.disconnect()
    await gone
  }
}

/** One unplug in mid-traffic and its replug. */
async function unplugOnce(
  master: MasterProcess,
  end: MasterEnd,
  figures: Figures,
  absenceMs: number,
): Promise<void> {
  await sleep(Math.random() * TRAFFIC_MS_MAX)
  const pulledAt = monotonicMs()
  const pulled = end.unplug()
  const lost = await master.next('lost', pulledAt)
  figures.seenMs.push(lost === null ? Number.POSITIVE_INFINITY : lost.at - pulledAt)
  await pulled
  if (absenceMs >= LONG_MS_MIN) await measureAbsence(master, figures, absenceMs)
  else await sleep(absenceMs)
  // The port is there again when the replug is done; before that nobody can open it.
  const replugAt = monotonicMs()
  await end.replug()
  const good = await master.next('good', replugAt)
  figures.backMs.push(good === null ? Number.POSITIVE_INFINITY : good.at - replugAt)
}

async function measureAbsence(master: MasterProcess, figures: Figures, absenceMs: number): Promise<void> {
  await sleep(SETTLE_MS)
  const startedAt = monotonicMs()
  const before = await master.cpuMs()
  await sleep(absenceMs - SETTLE_MS)
  figures.goneCpuMs += (await master.cpuMs()) - before
  figures.goneMs += monotonicMs() - startedAt
}

async function run(context: HarnessContext): Promise<Figures> {
  const { scale } = context
  const figures: Figures = { seenMs: [], backMs: [], goneCpuMs: 0, goneMs: 0, wrong: 0 }
  const folder = mkdtempSync(join(tmpdir(), 'headgate-unplugs-'))
  const wire = createWire({ baud: BAUD, format: '8E1', clock: systemClock, random: Math.random })
  joinDevice(wire, 1)
  const end = await exposePty(wire, join(folder, 'line'))
  const master = new MasterProcess({ port: end.port, baud: BAUD })
  try {
    if ((await master.next('good', 0)) === null) throw new Error('the line was never read')
    const longMs = Math.max(LONG_MS_MIN, LONG_MS * scale)
    const count = scaled(UNPLUGS, scale, 3)
    for (let done = 0; done < count; done += 1) {
      const absenceMs = done % LONG_EVERY === 0 ? longMs : Math.random() * ABSENCE_MS_MAX
      await unplugOnce(master, end, figures, absenceMs)
      if (done % LONG_EVERY === LONG_EVERY - 1) context.progress(`${done + 1} of ${count}`)
    }
    figures.wrong = master.wrong
  } finally {
    await master.stop()
    await end.close()
    wire.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return figures
}

export const harness: Harness = {
  what: 'An adapter pulled out in mid-traffic is noticed at once, costs nothing while gone, and is read again soon after.',
  run: async (context) => {
    if (!havePeer('socat')) return { figures: {}, failures: [], skipped: 'socat is not installed' }
    const { seenMs, backMs, goneCpuMs, goneMs, wrong } = await run(context)
    const goneCpuPercent = round((100 * goneCpuMs) / goneMs, 3)
    const width = context.scale < WHOLE_SCALE_MIN ? BESIDE_OTHERS : 1
    const slowSeen = seenMs.filter((ms) => ms >= SEEN_MS_MAX * width).length
    const slowBack = backMs.filter((ms) => ms >= BACK_MS_MAX * width).length
    return {
      figures: {
        unplugs: seenMs.length,
        seenMs: summary(seenMs),
        firstGoodMs: summary(backMs),
        goneCpuPercent,
        wrong,
      },
      failures: [
        ...(slowSeen > 0
          ? [`${slowSeen} of ${seenMs.length} unplugs were seen after ${SEEN_MS_MAX} ms or never`]
          : []),
        ...(slowBack > 0
          ? [`${slowBack} of ${backMs.length} replugs gave no good reading in ${BACK_MS_MAX} ms`]
          : []),
        ...(goneCpuPercent >= GONE_CPU_PERCENT_MAX ? [`${goneCpuPercent} % of a core while gone`] : []),
        ...(wrong > 0 ? [`${wrong} wrong values`] : []),
      ],
    }
  },
}

function summary(values: readonly number[]): { median: number; p99: number; max: number } {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number): number =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0, 1)
  return { median: at(0.5), p99: at(0.99), max: at(1) }
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits))
