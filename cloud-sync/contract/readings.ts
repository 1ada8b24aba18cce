import { z } from 'zod'
import { ChannelName, DeviceId, OrgId, SensorName } from './ids.ts'

/** A number, an integer beyond 2^53 as bigint, a text, or null where nothing could be read. */
export type Value = number | bigint | string | null

export const QUALITIES = ['good', 'uncertain', 'bad'] as const
export type Quality = (typeof QUALITIES)[number]

/**
 * A decimal grid: every value is `n * step / 10^digits` with an integer n. 0.01 is {step: 1, digits: 2}, 0.5 is
 * {step: 5, digits: 1}, 10 is {step: 10, digits: 0}. Division of two exact integers gives the nearest double, so a
 * stored decimal comes back as the very same number.
 */
export const Resolution = z.strictObject({
  step: z.int().min(1).max(1_000_000),
  digits: z.int().min(0).max(12),
})
export type Resolution = z.infer<typeof Resolution>

/**
 * What a channel number stands for. A definition never changes: a new owner, unit or resolution is a new number.
 * So the owner of every reading is frozen when the reading is stored, at no cost a reading.
 */
export const ChannelDef = z.strictObject({
  no: z.int().min(1),
  device: DeviceId,
  sensor: SensorName,
  channel: ChannelName,
  unit: z.string().max(32),
  resolution: Resolution.nullable(),
  derived: z.boolean(),
  org: OrgId,
  ownerEpoch: z.int().min(1),
})
export type ChannelDef = z.infer<typeof ChannelDef>

/** One reading as stored and sent. */
export interface StoredReading {
  /** Number of its ChannelDef. */
  readonly channel: number
  /** When the request had been sent, wall clock of the gateway, whole milliseconds since 1970. */
  readonly takenAt: number
  readonly value: Value
  readonly quality: Quality
  /** Why it is not good, e.g. `timeout`, `exception-2`, `range`; null where it is good. */
  readonly reason: string | null
}

/** The body of a message on `rd` or `rd/h`. */
export interface ReadingBatch {
  readonly v: 1
  readonly gw: string
  readonly epoch: string
  readonly seq: number
  /** SHA-256 of the previous batch's body in this stream and epoch, hex. */
  readonly prev: string
  /** Definitions the cloud may not have seen in this stream and epoch yet. */
  readonly defs: readonly ChannelDef[]
  readonly readings: readonly StoredReading[]
}
