import type { StoredReading } from '../../contract/index.ts'

/** Why a reading is bad where its device was not reached at all. */
const UNREACHED: ReadonlySet<string | null> = new Set(['timeout', 'line-lost'])

/** `well`: it has answered; a number: since when it has not, by its readings, epoch ms; `lost`: for so long that it counts. */
type Condition = 'well' | 'lost' | number

/** What is to be told of a device, or nothing. */
export type Told = 'lost' | 'back' | undefined

/** Which devices answer, by their readings alone. As many entries as there are devices. */
export class DeviceConditions {
  readonly #lostAfterMs: number
  readonly #gateways = new Map<string, Map<string, Condition>>()

  constructor(lostAfterMs: number) {
    this.#lostAfterMs = lostAfterMs
  }

  /** Readings of one device in one batch. The first answer since the start is told as well: what was open then is over. */
  note(gateway: string, device: string, readings: readonly StoredReading[]): Told {
    const devices = this.#gateways.get(gateway) ?? new Map<string, Condition>()
    this.#gateways.set(gateway, devices)
    const before = devices.get(device)
    if (readings.some(({ reason }) => !UNREACHED.has(reason))) {
      devices.set(device, 'well')
      return before === 'well' || typeof before === 'number' ? undefined : 'back'
    }
    if (before === 'lost') return undefined
    const times = readings.map(({ takenAt }) => takenAt)
    const since = typeof before === 'number' ? before : Math.min(...times)
    const isLost = Math.max(...times) - since >= this.#lostAfterMs
    devices.set(device, isLost ? 'lost' : since)
    return isLost ? 'lost' : undefined
  }

  /** The gateway was away: whatever of it is still lost now is news. */
  forget(gateway: string): void {
    this.#gateways.delete(gateway)
  }
}
