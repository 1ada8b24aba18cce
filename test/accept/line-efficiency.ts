import { loadavg } from 'node:os'
import { systemClock } from '../../hardware/clock.ts'
import type { Line } from '../../hardware/line/line.ts'
import { openLine } from '../../hardware/line/open-line.ts'
import { timingOf } from '../../hardware/line/timing.ts'
import { type Harness, scaled } from '../support/harness.ts'
import { heldValue, matchRead, readRequest, valuesOf } from '../support/rtu.ts'
import { type GapCounts, type WireKind, startWire, wireKinds } from '../support/wire-processes.ts'

const THINK_MS = 5
const UNIT = 7
const CASE_MS = 10_000
const POLLS_MIN = 3
/** Below this scale the runs are too short, and the machine too busy with other tests, for the bars of speed. */
const SPEED_SCALE_MIN = 0.2
const LOOSE = 0.15

/** Least share of the physical limit, by baud and by registers of one poll. */
const BARS = [
  { baud: 9600, registers: 1, least: 0.95 },
  { baud: 9600, registers: 10, least: 0.95 },
  { baud: 9600, registers: 125, least: 0.95 },
  { baud: 19_200, registers: 1, least: 0.95 },
  { baud: 19_200, registers: 10, least: 0.95 },
  { baud: 19_200, registers: 125, least: 0.95 },
  { baud: 115_200, registers: 1, least: 0.8 },
  { baud: 115_200, registers: 10, least: 0.8 },
  { baud: 115_200, registers: 125, least: 0.7 },
] as const
type Case = (typeof BARS)[number]

/** Time of one poll if nobody lost any: request, answer, two silences, think time; milliseconds. */
function limitMs({ baud, registers }: Case): number {
  return ((13 + 2 * registers) * 11_000) / baud + 2 * timingOf(baud, '8E1').t35Ms + THINK_MS
}

interface Polled {
  /** Mean and median of one poll, milliseconds. */
  readonly eachMs: number
  readonly medianMs: number
  /** Wrong or missing. */
  readonly bad: number
}

/** Polls back to back. */
async function poll(line: Line, registers: number, count: number): Promise<Polled> {
  const expected = Array.from({ length: registers }, (_, index) => heldValue(UNIT, 100 + index)).join()
  const ask = () =>
    line.exchange({
      tx: readRequest(UNIT, 100, registers),
      match: matchRead(UNIT, registers),
      timeoutMs: 2_000,
      gapMs: 0,
      lateMs: 100,
    })
  let bad = 0
  const tookMs: number[] = []
  await ask()
  const startedAt = performance.now()
  for (let done = 0; done < count; done += 1) {
    const askedAt = performance.now()
    const reply = await ask()
    tookMs.push(performance.now() - askedAt)
    if (!reply.ok || valuesOf(reply.frame).join() !== expected) bad += 1
  }
  const eachMs = (performance.now() - startedAt) / count
  const medianMs = tookMs.sort((a, b) => a - b)[Math.floor(count / 2)] ?? eachMs
  return { eachMs, medianMs, bad }
}

async function runCase(kind: WireKind, one: Case, scale: number) {
  const wire = await startWire(kind, one.baud, THINK_MS)
  const line = openLine(
    { id: 'line', port: wire.port, baud: one.baud, format: '8E1' },
    { clock: systemClock },
  )
  const limit = limitMs(one)
  const before = process.cpuUsage()
  let polled: Polled
  let gaps: GapCounts
  try {
    await line.start(new AbortController().signal)
    polled = await poll(line, one.registers, scaled(CASE_MS / limit, scale, POLLS_MIN))
  } finally {
    await line.stop()
    gaps = await wire.stop()
  }
  const { eachMs, medianMs, bad } = polled
  const { user, system } = process.cpuUsage(before)
  const share = limit / eachMs
  const least = one.least * (scale < SPEED_SCALE_MIN ? LOOSE : 1)
  const name = `${kind} ${one.baud} baud, ${one.registers} registers`
  const failures = [
    ...(bad > 0 ? [`${name}: ${bad} polls wrong or unanswered`] : []),
    ...(gaps.shortGaps > 0 ? [`${name}: ${gaps.shortGaps} gaps under t3.5`] : []),
    ...(share < least ? [`${name}: ${(share * 100).toFixed(1)} % of the limit, ${least * 100} asked`] : []),
  ]
  const figures = {
    pollsPerSecond: round(1000 / eachMs),
    percentOfLimit: round(share * 100),
    percentOfLimitAtMedian: round((limit / medianMs) * 100),
    shortestGapMs: round(gaps.shortestGapMs, 3),
    t35Ms: round(timingOf(one.baud, '8E1').t35Ms, 3),
    shortGaps: gaps.shortGaps,
    masterCpuMsPerPoll: round((user + system) / 1000 / (gaps.masterFrames || 1), 3),
  }
  return { name, figures, failures }
}

const round = (value: number, digits = 1): number => Number(value.toFixed(digits))

export const harness: Harness = {
  what: 'The line engine uses nearly all of what a half-duplex line can carry, and never cuts a silence short.',
  run: async (context) => {
    const figures: Record<string, unknown> = {}
    const failures: string[] = []
    const isWhole = context.scale >= SPEED_SCALE_MIN
    const cases = BARS.filter(({ baud, registers }) => isWhole || registers === 10 || baud === 115_200)
    for (const kind of wireKinds()) {
      for (const one of cases) {
        const result = await runCase(kind, one, context.scale)
        context.progress(`${result.name}: ${result.figures.percentOfLimit} %`)
        figures[result.name] = result.figures
        failures.push(...result.failures)
      }
    }
    // Beside other programs a turn of the scheduler is longer than what is measured here.
    return { figures: { loadAverage: loadavg().map((load) => round(load)), ...figures }, failures }
  },
}
