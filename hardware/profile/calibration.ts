/** Constants of one instance of a device, from its calibration sheet. Never part of a profile. */
export interface Calibration {
  /** 1, 2, 3 …; the raw value is stored beside every value computed with it, so that it can be computed again. */
  readonly version: number
  /** From when it holds, epoch ms. The newest that has begun is used. */
  readonly validFrom: number
  /** Names as the profile's expressions use them after `cal.`. */
  readonly values: Readonly<Record<string, number>>
}

/** The calibration in force at a time: the newest that has begun, of two that begin together the higher version. */
export function calibrationAt(versions: readonly Calibration[], at: number): Calibration | undefined {
  let best: Calibration | undefined
  for (const one of versions) {
    if (one.validFrom > at) continue
    const newer =
      best === undefined ||
      one.validFrom > best.validFrom ||
      (one.validFrom === best.validFrom && one.version > best.version)
    if (newer) best = one
  }
  return best
}
