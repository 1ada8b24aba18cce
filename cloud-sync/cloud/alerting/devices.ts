import type { StoredReading } from '../../contract/index.ts'

/** Why a reading is bad where its device was not reached at all. */
const UNREACHED: ReadonlySet<string | null> = new Set(['timeout', 'line-lost'])

/** `well`: it has answered; else since when it has not, by its readings, epoch ms; lost: for so long that it counts. */
type Condition = 'well' | { readonly since: number; readonly isLost: boolean }

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
      return before === 'well' || before?.isLost === false ? undefined : 'back'
    }
    const silent = before === 'well' ? undefined : before
    if (silent?.isLost === true) return undefined
    const times = readings.map(({ takenAt }) => takenAt)
    const since = silent?.since ?? Math.min(...times)
    const isLost = Math.max(...times) - since >= this.#lostAfterMs
    devices.set(device, { since, isLost })
    return isLost ? 'lost' : undefined
  }

  /** What `note` said last could not be told: the next readings say it again. */
  untold(gateway: string, device: string): void {
    const devices = this.#gateways.get(gateway)
    const condition = devices?.get(device)
    if (condition === 'well') devices?.delete(device)
    else if (condition !== undefined) devices?.set(device, { ...condition, isLost: false })
  }

  /** The gateway was away: whatever of it is still lost now is news. */
  forget(gateway: string): void {
    this.#gateways.delete(gateway)
  }
}
