import type { Qos } from './message-store.ts'

// SQLite keeps no checksum of a row: what a flipped bit made of one is found by its types, and left out.

export const isText = (value: unknown): value is string => typeof value === 'string'

export const isTextOrNull = (value: unknown): value is string | null =>
  value === null || typeof value === 'string'

/** A whole number from 0. */
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

export const isBytes = (value: unknown): value is Buffer => Buffer.isBuffer(value)

export const isQos = (value: unknown): value is Qos => value === 0 || value === 1 || value === 2
