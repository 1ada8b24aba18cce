/** A number, an integer beyond 2^53 as bigint, a text, or null where nothing could be read. */
export type Value = number | bigint | string | null
export type Quality = 'good' | 'uncertain' | 'bad'

/** Why a reading is not good. */
export type Reason =
  | 'timeout'
  | 'crc'
  | `exception-${number}`
  | 'sentinel'
  | 'range'
  | 'stale'
  | 'no-cal'
  | 'late'
  | 'line-lost'
  | 'not-a-number'
  | 'no-input'

/** One value of one channel. Knows no owner; the agent finds that. */
export interface Reading {
  readonly device: string
  readonly sensor: string
  readonly channel: string
  /** When the request had been sent, wall clock, whole epoch milliseconds. */
  readonly takenAt: number
  readonly value: Value
  /** UCUM code. */
  readonly unit: string
  readonly quality: Quality
  readonly reason: Reason | null
  /** Computed from other channels, not read from the device. */
  readonly derived: boolean
  /** Version of the calibration used; 0 where none was. */
  readonly calibration: number
  /** Crossed an alarm limit: commit and publish at once. */
  readonly alarm: boolean
  /** Bytes that carried this value in the device's answer; 0 where derived or bad. */
  readonly payloadBytes: number
}
