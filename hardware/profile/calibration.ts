/** Constants of one instance of a device, from its calibration sheet. Never part of a profile. */
export interface Calibration {
  /** 1, 2, 3 …; written beside every value computed with it. */
  readonly version: number
  /** From when it holds, epoch ms. The newest that has begun is used. */
  readonly validFrom: number
  /** Names as the profile's expressions use them after `cal.`. */
  readonly values: Readonly<Record<string, number>>
}
