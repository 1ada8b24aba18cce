/**
 * A process of its own: polls many faulty lines at once and judges each value, while it stands still at random.
 * Forked with its options; sends {tally} at the end and exits.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../hardware/clock.ts'
import type { LinePort } from '../../hardware/config.ts'
import type { Line } from '../../hardware/line/line.ts'
import { openLine } from '../../hardware/line/open-line.ts'
import { openNaiveLine } from './naive-line.ts'
import { heldValue, matchRead, readRequest, valuesOf } from './rtu.ts'

export interface FaultyMasterOptions {
  readonly kind: 'product' | 'naive'
  readonly ports: readonly LinePort[]
  /** In all. */
  readonly polls: number
  readonly timeoutMs: number
  readonly lateMs: number
  readonly stallMs: number
  /** Mean time between two of its own stalls. */
  readonly stallEveryMs: number
}

export interface FaultyTally {
  right: number
  wrong: number
  busy: number
  timeout: number
  crc: number
  lineLost: number
  stalls: number
  lateReplies: number
  strayBytes: number
}

/** Several callers on each line, so that its queue is at work. */
const CALLERS = 2
/** Few units and lengths: a stale answer mostly fits the next request in form. */
const UNITS = 2
const REGISTERS_MAX = 2

const tally: FaultyTally = {
  right: 0,
  wrong: 0,
  busy: 0,
  timeout: 0,
  crc: 0,
  lineLost: 0,
  stalls: 0,
  lateReplies: 0,
  strayBytes: 0,
}

type PolledLine = Pick<Line, 'start' | 'exchange' | 'stats' | 'stop'>

/** One poll; no two near each other ask for the same registers, so that a stale answer has other values. */
async function poll(
  line: PolledLine,
  number: number,
  { timeoutMs, lateMs }: FaultyMasterOptions,
): Promise<void> {
  const unit = 1 + (number % UNITS)
  const count = 1 + Math.floor(Math.random() * REGISTERS_MAX)
  const register = (number * 7919) % 60_000
  const tx = readRequest(unit, register, count)
  const reply = await line.exchange({ tx, match: matchRead(unit, count), timeoutMs, lateMs, gapMs: 0 })
  if (!reply.ok) {
    if (reply.reason === 'line-lost') tally.lineLost += 1
    else tally[reply.reason] += 1
  } else if (reply.frame[1] === 0x83) {
    tally.busy += 1
  } else {
    const expected = Array.from({ length: count }, (_, index) => heldValue(unit, register + index))
    tally[valuesOf(reply.frame).join() === expected.join() ? 'right' : 'wrong'] += 1
  }
}

async function main(options: FaultyMasterOptions): Promise<void> {
  const open = options.kind === 'product' ? openLine : openNaiveLine
  const lines = options.ports.map((port, index) =>
    open({ id: `line${index}`, port, baud: 115_200, format: '8N1' }, { clock: systemClock }),
  )
  await Promise.all(lines.map((line) => line.start(new AbortController().signal)))
  let next = 0
  let isOver = false
  const call = async (line: PolledLine): Promise<void> => {
    while (next < options.polls) {
      next += 1
      await poll(line, next, options)
    }
  }
  const stand = async (): Promise<void> => {
    while (!isOver) {
      await sleep(Math.random() * 2 * options.stallEveryMs)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, options.stallMs)
      tally.stalls += 1
    }
  }
  void stand()
  await Promise.all(lines.flatMap((line) => Array.from({ length: CALLERS }, () => call(line))))
  isOver = true
  for (const line of lines) {
    tally.lateReplies += line.stats().lateReplies
    tally.strayBytes += line.stats().strayBytes
    await line.stop()
  }
  process.send?.(tally, () => process.exit(0))
}

process.on('disconnect', () => process.exit(1))
await main(JSON.parse(process.argv[2] ?? '') as FaultyMasterOptions)
