import { flushCompileCache } from 'node:module'
import { systemClock } from '../clock.ts'
import type { HardwareEvent } from '../events.ts'
import { openLine } from '../line/open-line.ts'
import type { FromHardware, ToHardware } from './messages.ts'
import { Outbox } from './outbox.ts'
import { Plant } from './plant.ts'

/** Without its parent the process would keep the ports from the next one. */
const ORPHAN_LOOK_MS = 50
/** Also the heartbeat by which the parent knows that this process is not stuck. */
const REPORT_MS = 1_000
/** By then all code that a poll needs has run. */
const COMPILED_KEPT_AFTER_MS = 10_000
/** How long readings may wait for their commit when the process is to end. */
const DRAIN_MS_MAX = 3_000

/** The hardware side in a process of its own, told by its parent what to do. */
class HardwareProcess {
  readonly #outbox = new Outbox({
    clock: systemClock,
    send: (batch, readings) => {
      send({ kind: 'readings', batch, readings })
    },
  })
  readonly #abort = new AbortController()
  #plant: Plant | null = null
  #running: Promise<void> = Promise.resolve()
  #toldDropped = 0

  receive(message: ToHardware): void {
    switch (message.kind) {
      case 'configure':
        this.#configure(message)
        return
      case 'ack':
        this.#outbox.acknowledged(message.batch)
        return
      case 'poll':
        this.#plant?.pollNow(message.device)
        return
      case 'stop':
        void this.#stop()
        return
    }
  }

  #configure({ config, splits }: Extract<ToHardware, { kind: 'configure' }>): void {
    if (this.#plant !== null) return
    this.#plant = new Plant(
      { config, splits },
      {
        clock: systemClock,
        random: Math.random,
        openLine: (line) => openLine(line, { clock: systemClock }),
        onReadings: (readings) => {
          this.#outbox.add(readings)
        },
        onEvent: sendEvent,
      },
    )
    // A fault of the program rejects here and ends the process: its parent tells it and starts another.
    this.#running = this.#plant.run(this.#abort.signal)
    send({ kind: 'ready' })
    // Node keeps it only at an orderly end, which a gateway may never have.
    setTimeout(flushCompileCache, COMPILED_KEPT_AFTER_MS)
    setInterval(() => {
      this.#report()
    }, REPORT_MS)
  }

  #report(): void {
    if (this.#plant === null) return
    const counts = this.#outbox.counts()
    const dropped = counts.dropped - this.#toldDropped
    if (dropped > 0) sendEvent({ kind: 'dropped', at: systemClock.wall(), readings: dropped })
    this.#toldDropped = counts.dropped
    send({ kind: 'report', report: { ...this.#plant.report(), ...counts } })
  }

  async #stop(): Promise<void> {
    this.#abort.abort()
    setTimeout(leave, DRAIN_MS_MAX)
    await this.#running
    await this.#outbox.drain()
    this.#report()
    leave()
  }
}

function send(message: FromHardware): void {
  // A broken pipe is a parent that ended: 'disconnect' follows.
  process.send?.(message, undefined, undefined, () => undefined)
}

function sendEvent(event: HardwareEvent): void {
  send({ kind: 'event', event })
}

function leave(): never {
  process.exit(0)
}

const parent = process.ppid
process.on('disconnect', leave)
// The pipe may outlive its parent where another process inherited it.
setInterval(() => {
  if (process.ppid !== parent) leave()
}, ORPHAN_LOOK_MS)
// A terminal and a service manager signal the whole group: the parent decides, and this side ends in order.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
const hardware = new HardwareProcess()
process.on('message', (message) => {
  hardware.receive(message as ToHardware)
})
if (!process.connected) leave()
