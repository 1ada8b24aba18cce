import type { Clock } from '../clock.ts'
import { type Framing, rtu, type Table } from '../modbus/index.ts'
import type { Content } from './content.ts'
import { type AnswerFault, type Answer, plainSending, type Sending, withFault } from './fault.ts'
import { findRequest, type HeardRequest } from './request.ts'
import { answerRequest } from './slave.ts'
import type { Truth } from './truth-log.ts'
import type { Wire, WirePort } from './wire.ts'

const BROADCAST = 0
/** More than any request; what else a device hears on a shared line is other devices' talk. */
const HEARD_BYTES_MAX = 600
const READ_FUNCTIONS: readonly (Table | undefined)[] = [undefined, 'coil', 'discrete', 'holding', 'input']

export interface DeviceOptions {
  readonly id: string
  readonly address: number
  readonly framing: Framing
  readonly content: Content
  readonly holes: 'zero' | 'refuse'
  /** From t3.5 after the request to the first byte of the answer. */
  readonly thinkMs: number
  readonly wire: Wire
  readonly clock: Clock
  readonly random: () => number
  /** The fault to put on the next answer, if any. */
  readonly fault: () => AnswerFault | undefined
  /** Grows with everything on the line that may have hurt an answer under way. */
  readonly trouble: () => number
  readonly onAnswer: (truth: Truth) => void
}

/** A Modbus device on a simulated wire. */
export class SimulatedDevice {
  readonly #options: DeviceOptions
  readonly #port: WirePort
  readonly #startedAt: number
  readonly #underWay = new Set<() => void>()
  #heard: Uint8Array = new Uint8Array(0)
  #lastAt = Number.NEGATIVE_INFINITY

  constructor(options: DeviceOptions) {
    this.#options = options
    this.#startedAt = options.clock.now()
    this.#port = options.wire.join(options.id)
    this.#port.onBytes((bytes, at) => {
      this.#hear(bytes, at)
    })
  }

  /** Leaves the wire; answers still under way are told as not clean. */
  leave(): void {
    this.#port.leave()
    for (const cutOff of this.#underWay) cutOff()
  }

  #hear(bytes: Uint8Array, at: number): void {
    const { framing, wire, address } = this.#options
    const mine = (unit: number): boolean => unit === address || unit === BROADCAST
    const startAt = at - bytes.length * wire.timing.characterMs
    // Silence ends a frame in RTU (Modbus over Serial Line V1.02, 2.5.1.1); ASCII frames have their own ends.
    const fresh = framing === rtu && startAt - this.#lastAt >= wire.timing.t35Ms
    this.#lastAt = at
    this.#heard = joined(fresh ? new Uint8Array(0) : this.#heard, bytes)
    for (;;) {
      const request = findRequest(framing, this.#heard, mine)
      if (request === undefined) break
      this.#heard = this.#heard.slice(request.end)
      this.#serve(request, at)
    }
    if (this.#heard.length > HEARD_BYTES_MAX) this.#heard = this.#heard.slice(-HEARD_BYTES_MAX)
  }

  #serve(request: HeardRequest, at: number): void {
    const { address, content, holes, clock, framing } = this.#options
    const counted = this.#countIfCarried(request)
    const pdu = answerRequest(
      {
        memory: content.memory,
        holes,
        beforeRead: (table, from, count) => {
          content.refresh({ table, address: from, count }, clock.now() - this.#startedAt)
        },
      },
      request.pdu,
    )
    if (request.unit === BROADCAST) return
    const isException = ((pdu[0] ?? 0) & 0x80) !== 0
    const sending = this.#sendingOf({ framing, unit: address, pdu })
    if (counted && (isException || !sending.answered)) content.count -= 1
    const endAt = this.#send(sending, at)
    if (counted && !isException && sending.answered) this.#tell(content.count, sending.clean, endAt)
  }

  /** Counts before the answer is made, so that the answer carries its own number. */
  #countIfCarried({ unit, pdu }: HeardRequest): boolean {
    const table = READ_FUNCTIONS[pdu[0] ?? 0]
    if (table === undefined || unit === BROADCAST) return false
    const from = ((pdu[1] ?? 0) << 8) | (pdu[2] ?? 0)
    const count = ((pdu[3] ?? 0) << 8) | (pdu[4] ?? 0)
    const carried = this.#options.content.carriesCounter(table, from, count)
    if (carried) this.#options.content.count += 1
    return carried
  }

  #sendingOf(answer: Answer): Sending {
    const fault = this.#options.fault()
    return fault === undefined ? plainSending(answer) : withFault(answer, fault, this.#options.random)
  }

  #send({ pieces }: Sending, requestEndAt: number): number {
    const { wire, thinkMs } = this.#options
    let at = requestEndAt + wire.timing.t35Ms + thinkMs
    for (const { bytes, pauseMs } of pieces) {
      this.#port.send(bytes, at + pauseMs)
      at += pauseMs + bytes.length * wire.timing.characterMs
    }
    return at
  }

  /** Tells of the answer when its last byte has left, with whether anything hurt it on its way. */
  #tell(counter: number, clean: boolean, endAt: number): void {
    const { id, clock, trouble, onAnswer } = this.#options
    const troubleBefore = trouble()
    const told = (whole: boolean): void => {
      this.#underWay.delete(cutOff)
      cancel()
      onAnswer({
        device: id,
        counter,
        at: clock.wall(),
        clean: clean && whole && trouble() === troubleBefore,
      })
    }
    const cutOff = (): void => {
      told(false)
    }
    const cancel = clock.after(Math.max(0, Math.ceil(endAt - clock.now())), () => {
      told(true)
    })
    this.#underWay.add(cutOff)
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length)
  both.set(first)
  both.set(second, first.length)
  return both
}
