import {
  type Hardware,
  type HardwareConfig,
  type HardwareEvent,
  type Reading,
  superviseHardware,
} from '../../hardware/index.ts'
import { openSite } from './hardware-site.ts'

/** What a suite must undo, last first. */
export class Cleanups {
  readonly #todo: (() => Promise<unknown>)[] = []

  add(undo: () => Promise<unknown>): void {
    this.#todo.push(undo)
  }

  async run(): Promise<void> {
    for (const undo of this.#todo.splice(0).reverse()) await undo()
  }
}

/** Counting devices on a wire of their own. */
export async function siteFor(cleanups: Cleanups, devices: number, everyMs: number) {
  const opened = await openSite({ devices, everyMs })
  cleanups.add(opened.close)
  return opened
}

/** A supervised hardware process with everything that it gave. */
export async function supervise(
  cleanups: Cleanups,
  config: HardwareConfig,
  commit: () => Promise<void> = () => Promise.resolve(),
) {
  const readings: Reading[] = []
  const events: HardwareEvent[] = []
  const hardware: Hardware = superviseHardware({
    config,
    log: { info: () => undefined, warn: () => undefined },
    onReadings: async (batch) => {
      await commit()
      readings.push(...batch)
    },
    onEvent: (event) => void events.push(event),
  })
  cleanups.add(() => hardware.stop())
  await hardware.start(new AbortController().signal)
  return { hardware, readings, events }
}

export async function until(fits: () => boolean, withinMs = 60_000): Promise<void> {
  const endMs = performance.now() + withinMs
  while (!fits()) {
    if (performance.now() > endMs) throw new Error('it did not come to that')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

export const good = (readings: readonly Reading[]): Reading[] =>
  readings.filter(({ quality }) => quality === 'good')
