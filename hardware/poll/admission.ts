import { HardwareError } from '../errors.ts'
import type { Format } from '../config.ts'
import { timingOf } from '../line/timing.ts'
import type { Step } from '../protocol.ts'

/** Above this share of a line's time, late answers and retries no longer fit. */
export const LINE_LOAD_MAX = 0.8

export interface LineSpeed {
  readonly baud: number
  readonly format: Format
}

/** Time of so many bytes on the wire, ms. */
export const wireMs = (bytes: number, speed: LineSpeed): number =>
  bytes * timingOf(speed.baud, speed.format).characterMs

/** Time that these steps hold the line, ms: bytes both ways, two silences, the device's thinking, waits. */
export function stepsMs(steps: readonly Step[], speed: LineSpeed, thinkMs: number): number {
  return steps.reduce((sum, step) => sum + stepMs(step, speed, thinkMs), 0)
}

function stepMs(step: Step, speed: LineSpeed, thinkMs: number): number {
  switch (step.kind) {
    case 'exchange':
      return (
        wireMs(step.tx.length + step.rxBytes, speed) + 2 * timingOf(speed.baud, speed.format).t35Ms + thinkMs
      )
    case 'broadcast':
      return wireMs(step.tx.length, speed) + timingOf(speed.baud, speed.format).t35Ms
    case 'wait':
      return step.ms
  }
}

export interface Demand {
  readonly device: string
  readonly everyMs: number
  /** Line time of one poll, ms. */
  readonly pollMs: number
}

export interface Admission {
  readonly admitted: readonly Demand[]
  readonly refused: readonly { readonly demand: Demand; readonly error: HardwareError }[]
  /** Share of the line's time that the admitted ones use, 0 to 1. */
  readonly load: number
}

/** Admits devices in the order of the configuration while they fit; each that does not is refused with the numbers. */
export function admit(line: string, demands: readonly Demand[]): Admission {
  const admitted: Demand[] = []
  const refused: { demand: Demand; error: HardwareError }[] = []
  let load = 0
  for (const demand of demands) {
    const share = demand.pollMs / demand.everyMs
    if (load + share <= LINE_LOAD_MAX) {
      admitted.push(demand)
      load += share
    } else refused.push({ demand, error: overloaded(line, demand, load) })
  }
  return { admitted, refused, load }
}

function overloaded(line: string, demand: Demand, load: number): HardwareError {
  const share = demand.pollMs / demand.everyMs
  return new HardwareError(
    'LINE_OVERLOADED',
    `device ${demand.device} needs ${demand.pollMs.toFixed(1)} ms of line ${line} every ${demand.everyMs} ms ` +
      `(${percent(share)}); the devices before it use ${percent(load)}, together ${percent(load + share)} ` +
      `of at most ${percent(LINE_LOAD_MAX)}`,
  )
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
