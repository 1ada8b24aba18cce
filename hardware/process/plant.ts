import type { Clock } from '../clock.ts'
import type { HardwareConfig, LineConfig } from '../config.ts'
import type { DeviceStats, HardwareEvent, LineReport } from '../events.ts'
import type { Line } from '../line/line.ts'
import { takeIn } from '../poll/intake.ts'
import { Neighbours } from '../poll/neighbours.ts'
import { Poller } from '../poll/poller.ts'
import type { Reading } from '../reading.ts'
import type { Splits } from './messages.ts'

export interface PlantPorts {
  readonly clock: Clock
  /** 0 to 1, as Math.random. */
  readonly random: () => number
  openLine(config: LineConfig): Line
  onReadings(readings: readonly Reading[]): void
  onEvent(event: HardwareEvent): void
}

export interface PlantConfig {
  readonly config: HardwareConfig
  readonly splits: Splits
}

/** All lines of a gateway with their pollers. */
export class Plant {
  readonly #pollers = new Map<string, Poller>()

  /** Tells by events what of the configuration is refused, and keeps the rest for `run`. */
  constructor({ config, splits }: PlantConfig, ports: PlantPorts) {
    const neighbours = new Neighbours(ports.clock)
    const { lines, refusals } = takeIn(config, neighbours)
    for (const { subject, id, error } of refusals) {
      const { code, hint, message: sentence } = error
      ports.onEvent({ kind: 'refused', at: ports.clock.wall(), subject, id, code, sentence, hint })
    }
    const pollerPorts = {
      ...ports,
      onReadings: (readings: readonly Reading[]): void => {
        neighbours.note(readings)
        ports.onReadings(readings)
      },
    }
    for (const { config: line, devices, load } of lines) {
      const poller = new Poller(
        { line: ports.openLine(line), speed: line, load, devices, splits: new Map(Object.entries(splits)) },
        pollerPorts,
      )
      this.#pollers.set(line.id, poller)
    }
  }

  /** Polls until the signal. Rejects for a fault of the program only. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#pollers.values()].map((poller) => poller.run(signal)))
  }

  pollNow(device: string): void {
    for (const poller of this.#pollers.values()) if (poller.pollNow(device)) return
  }

  report(): { lines: Record<string, LineReport>; devices: Record<string, DeviceStats> } {
    const pollers = [...this.#pollers]
    return {
      lines: Object.fromEntries(pollers.map(([id, poller]) => [id, poller.report()])),
      devices: Object.fromEntries(pollers.flatMap(([, poller]) => poller.deviceReports())),
    }
  }
}
