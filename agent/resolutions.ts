import { HardwareError, loadProfile, type Resolution } from '../hardware/index.ts'

/** The grid on which a device's channel is stored, from its profile. */
export class Resolutions {
  readonly #byDevice = new Map<string, ReadonlyMap<string, Resolution | null>>()

  constructor(devices: readonly { readonly id: string; readonly profile: string }[]) {
    const byProfile = new Map<string, ReadonlyMap<string, Resolution | null>>()
    for (const { id, profile } of devices) {
      const channels = byProfile.get(profile) ?? gridsOf(profile)
      byProfile.set(profile, channels)
      this.#byDevice.set(id, channels)
    }
  }

  /** Null = the double is kept exactly. */
  of(device: string, channel: string): Resolution | null {
    return this.#byDevice.get(device)?.get(channel) ?? null
  }
}

function gridsOf(profile: string): ReadonlyMap<string, Resolution | null> {
  try {
    return new Map(loadProfile(profile).channels.map(({ id, resolution }) => [id, resolution]))
  } catch (error) {
    // The hardware process refuses such a device by itself and says why; it will give no readings.
    if (error instanceof HardwareError) return new Map()
    throw error
  }
}
