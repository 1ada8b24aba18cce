import { systemClock } from '../clock.ts'
import type { Format, LinePort } from '../config.ts'
import type { Line, Reply } from '../line/line.ts'
import { type Framing, type ReadChannel, ascii, modbusProtocol, rtu } from '../modbus/index.ts'
import { wireMs } from '../poll/admission.ts'
import type { ExchangeStep } from '../poll/device.ts'
import { type Profile, loadProfile } from '../profile/index.ts'
import type { DecodeResult, Step } from '../protocol.ts'
import { type ToolPort, openToolLine } from './tool-line.ts'

export const MODBUS_ADDRESSES: readonly number[] = Array.from({ length: 247 }, (_, index) => index + 1)
/** A healthy device begins to answer within this. */
const THINK_MS = 150
/** So late an answer is no longer waited for; it carries its address and is not taken for another's. */
const LATE_MS = 20
const NO_SPLITS: ReadonlySet<string> = new Set()
const ONE_BLOCK = { maxRegs: 125, maxBits: 2000, maxHole: 0 }
/** What every address is asked for: holding register 0. A device that has none answers by an exception. */
const FIRST_REGISTER: ReadChannel = {
  id: 'first',
  table: 'holding',
  address: 0,
  value: { type: 'uint16', order: 'ABCD', bits: null, byte: 'low', length: 0 },
}

export interface ScanRequest {
  readonly port: LinePort
  readonly bauds: readonly number[]
  readonly formats: readonly Format[]
  readonly addresses: readonly number[]
  readonly framing?: 'modbus-rtu' | 'modbus-ascii'
  /** Texts of profile files; what answers is compared with their `identify`. */
  readonly profiles: readonly string[]
  readonly signal: AbortSignal
}

export interface ScanPlace {
  readonly baud: number
  readonly format: Format
  readonly address: number
}

export type ScanEvent =
  /** About to ask this one; `done` of `total` are behind. */
  | ({ readonly kind: 'asking'; readonly done: number; readonly total: number } & ScanPlace)
  | ({
      readonly kind: 'found'
      /** The exception it answered with to a read of holding register 0; null = it gave a value. */
      readonly exception: number | null
      /** From the request's last byte to the answer's last byte, ms. */
      readonly tookMs: number
      /** Names of the profiles whose `identify` fits. */
      readonly profiles: readonly string[]
    } & ScanPlace)
  /** Bytes came, but no frame: another speed or format, two devices at one address, or a bad line. */
  | ({ readonly kind: 'garbled'; readonly bytes: number } & ScanPlace)

/**
 * Asks every address at every speed and format for holding register 0; whatever answers, also by an exception, is
 * found. Takes about 0.2 s for each silent address.
 * @throws HardwareError LINE_UNAVAILABLE, PROFILE_INVALID, PROFILE_EXAMPLE_FAILED
 */
export async function* scanLine(request: ScanRequest): AsyncGenerator<ScanEvent, void, undefined> {
  const { bauds, formats, addresses, signal } = request
  const name = request.framing ?? 'modbus-rtu'
  const framing = name === 'modbus-ascii' ? ascii : rtu
  const profiles = request.profiles.map(loadProfile).filter(({ protocol }) => protocol === name)
  const total = bauds.length * formats.length * addresses.length
  let done = 0
  for (const baud of bauds) {
    for (const format of formats) {
      const where: ToolPort = { port: request.port, baud, format }
      const line = await openToolLine(where, { clock: systemClock, signal })
      const probe = new Probe({ line, where, framing, profiles })
      try {
        for (const address of addresses) {
          if (signal.aborted) return
          yield { kind: 'asking', baud, format, address, done, total }
          const event = await probe.ask(address)
          done += 1
          if (event !== null) yield event
        }
      } finally {
        await line.stop()
      }
    }
  }
}

interface ProbeConfig {
  readonly line: Line
  readonly where: ToolPort
  readonly framing: Framing
  readonly profiles: readonly Profile[]
}

class Probe {
  readonly #config: ProbeConfig

  constructor(config: ProbeConfig) {
    this.#config = config
  }

  async ask(address: number): Promise<ScanEvent | null> {
    const { baud, format } = this.#config.where
    const { reply, decoded } = await this.#read(address, FIRST_REGISTER)
    if (!reply.ok) {
      const { strayBytes: bytes } = reply
      return bytes === 0 ? null : { kind: 'garbled', baud, format, address, bytes }
    }
    const profiles: string[] = []
    for (const profile of this.#config.profiles) {
      if (await this.#fits(address, profile)) profiles.push(profile.name)
    }
    const exception = decoded?.ok === false ? decoded.exception : null
    return { kind: 'found', baud, format, address, exception, tookMs: reply.tookMs, profiles }
  }

  async #fits(address: number, { identify }: Profile): Promise<boolean> {
    if (identify === null) return false
    const { decoded } = await this.#read(address, identify.read)
    const value = decoded?.ok === true ? decoded.values[0]?.value : undefined
    if (typeof value !== 'number' && typeof value !== 'bigint') return false
    return value >= identify.least && value <= identify.most
  }

  async #read(
    address: number,
    channel: ReadChannel,
  ): Promise<{ reply: Reply; decoded: DecodeResult | null }> {
    const { framing, line, where } = this.#config
    const protocol = modbusProtocol({ framing, channels: [channel], limits: ONE_BLOCK, cycle: [] })
    const step = protocol.plan(address, [channel.id], NO_SPLITS).find(isExchange)
    if (step === undefined) throw new Error('a read has an exchange')
    const timeoutMs = THINK_MS + wireMs(step.rxBytes, where)
    const { tx, match } = step
    const reply = await line.exchange({ tx, match, timeoutMs, gapMs: 0, lateMs: LATE_MS })
    return { reply, decoded: reply.ok ? protocol.decode(step, reply.frame) : null }
  }
}

const isExchange = (step: Step): step is ExchangeStep => step.kind === 'exchange'
