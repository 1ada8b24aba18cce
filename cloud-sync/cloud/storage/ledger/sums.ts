import { type JoinBuilder, sql } from 'kysely'
import type { LedgerSchema } from './tables.ts'

type Joined = LedgerSchema & { p: LedgerSchema['usage_posting']; r: LedgerSchema['usage_record'] }

/** Posting `p` and its record `r`; the month lets PostgreSQL look into one partition only. */
export const ofRecord = <S extends Joined, T extends keyof S>(join: JoinBuilder<S, T>): JoinBuilder<S, T> =>
  join.on(sql<boolean>`(r.gateway, r.epoch, r.seq, r.month) = (p.gateway, p.epoch, p.seq, p.month)`)

/** Both halves of a sum of quantities: of many that are near 2^63 the sum itself has no place in 64 bits. */
export const summed = (quantity: string) => [
  sql<string>`cast(sum(${sql.ref(quantity)} >> 32) as text)`.as('high'),
  sql<string>`cast(sum(${sql.ref(quantity)} & 4294967295) as text)`.as('low'),
]

export const sumOf = ({ high, low }: { high: string; low: string }): bigint =>
  (BigInt(high) << 32n) + BigInt(low)

/** Both halves of one quantity, each exact as a number: cheaper than a text of it. */
export const halves = (quantity: string) => [
  sql<number>`${sql.ref(quantity)} >> 32`.as('high'),
  sql<number>`${sql.ref(quantity)} & 4294967295`.as('low'),
]

/** Small ones are used again: nearly every posting of a sensor's day is of one. */
const SMALL = Array.from({ length: 256 }, (_, n) => BigInt(n))
export const whole = (high: number, low: number): bigint =>
  high === 0 ? (SMALL[low] ?? BigInt(low)) : (BigInt(high) << 32n) + BigInt(low)
