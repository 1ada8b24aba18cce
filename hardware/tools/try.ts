import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../clock.ts'
import type { LinePort } from '../config.ts'
import { HardwareError } from '../errors.ts'
import type { Line, Reply } from '../line/line.ts'
import { wireMs } from '../poll/admission.ts'
import { type Verdict, attempt } from '../poll/attempt.ts'
import { polledDevice } from '../poll/intake.ts'
import { Neighbours } from '../poll/neighbours.ts'
import { type Calibration, loadProfile } from '../profile/index.ts'
import type { Reading } from '../reading.ts'
import { type ToolPort, openToolLine } from './tool-line.ts'

const NO_SPLITS: ReadonlySet<string> = new Set()

export interface TryRequest extends Partial<Omit<ToolPort, 'port'>> {
  readonly port: LinePort
  readonly address: number
  /** Text of the profile file; its `line` holds where baud or format are left out. */
  readonly profile: string
  readonly calibrations?: readonly Calibration[]
  readonly signal: AbortSignal
  /** Each request as it went and what came of it. */
  onExchange?(exchange: TriedExchange): void
}

/** Bytes of one exchange, both ways. */
export interface TriedExchange {
  readonly sent: Uint8Array
  /** Everything that came until the answer was found or given up. */
  readonly received: Uint8Array
  /** `sent`: a broadcast, which nobody answers. */
  readonly outcome: 'answer' | 'timeout' | 'crc' | 'line-lost' | 'sent'
  /** From the request's last byte to the answer's last byte, ms; null without an answer. */
  readonly tookMs: number | null
}

export interface TryResult {
  readonly profile: string
  readonly verdict: Verdict
  readonly exchanges: readonly TriedExchange[]
  readonly readings: readonly Reading[]
}

/**
 * Polls one device once, as its profile says, and shows every byte.
 * @throws HardwareError LINE_UNAVAILABLE, PROFILE_INVALID, PROFILE_EXAMPLE_FAILED; a silent device is a verdict.
 */
export async function tryDevice(request: TryRequest): Promise<TryResult> {
  const clock = systemClock
  const profile = loadProfile(request.profile)
  const { port, baud = profile.line.baud, format = profile.line.format, address, signal } = request
  const device = polledDevice({
    config: { id: 'tried', address, everyMs: 1, calibrations: request.calibrations ?? [] },
    profile,
    neighbours: new Neighbours(clock),
  })
  const line = await openToolLine({ port, baud, format }, { clock, signal })
  const exchanges: TriedExchange[] = []
  try {
    const result = await attempt(device, device.protocol.plan(address, device.channels, NO_SPLITS), {
      line: recorded(line, (exchange) => {
        exchanges.push(exchange)
        request.onExchange?.(exchange)
      }),
      clock,
      silencesMax: Infinity,
      sleep: async (ms) => {
        if (ms > 0) await sleep(ms, undefined, { signal })
      },
      patience: (step) => ({
        timeoutMs: device.timeoutMs + wireMs(step.rxBytes, { baud, format }),
        lateMs: device.lateMs,
      }),
      mayRetry: () => device.sleeps,
      observe: () => undefined,
    })
    const readings = device.readings({ ...result, takenAt: result.takenAt ?? clock.wall() })
    return { profile: profile.name, verdict: result.verdict, exchanges, readings }
  } catch (cause) {
    if (!signal.aborted) throw cause
    throw new HardwareError('LINE_UNAVAILABLE', 'it was stopped before the poll ended', { cause })
  } finally {
    await line.stop()
  }
}

/** The same line, telling every exchange with all bytes that came in it. */
function recorded(line: Line, tell: (exchange: TriedExchange) => void): Pick<Line, 'exchange' | 'send'> {
  return {
    exchange: async (exchange) => {
      const chunks: Uint8Array[] = []
      const unlisten = line.sniff((bytes) => void chunks.push(Uint8Array.from(bytes)))
      const reply = await line.exchange(exchange)
      unlisten()
      tell({ sent: exchange.tx, received: Buffer.concat(chunks), ...outcomeOf(reply) })
      return reply
    },
    send: async (tx, gapMs) => {
      const result = await line.send(tx, gapMs)
      tell({ sent: tx, received: new Uint8Array(0), outcome: result.ok ? 'sent' : 'line-lost', tookMs: null })
      return result
    },
  }
}

function outcomeOf(reply: Reply): Pick<TriedExchange, 'outcome' | 'tookMs'> {
  return reply.ok ? { outcome: 'answer', tookMs: reply.tookMs } : { outcome: reply.reason, tookMs: null }
}
