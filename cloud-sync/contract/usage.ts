import { z } from 'zod'
import { Epoch, GatewayId, Hash, MemberName, OrgId, Subject, WorkspaceId } from './ids.ts'

/** Every meter there is; the position is its number in the record's bytes, so new ones go at the end. */
export const METERS = [
  'sensor.readings',
  'sensor.values',
  'sensor.payload_bytes',
  'sensor.active_day',
  'mqtt.bytes_in',
  'mqtt.bytes_out',
  'cell.rx',
  'cell.tx',
  'cell.alloc',
  'storage.max',
] as const
export const Meter = z.enum(METERS)
export type Meter = z.infer<typeof Meter>

/** Bits of a register's `q`; the value is the bit number. */
export const USAGE_QUALITY = {
  EST: 0,
  CLOCK_INVALID: 1,
  CLOCK_ADJUSTED: 2,
  CTR_RESET: 3,
  POWER_FAIL: 4,
  PARTIAL: 5,
  REPLAY: 6,
  RESIDUAL: 7,
  DNV: 8,
} as const

export const CLOCK_STATES = ['synced', 'holdover', 'unsynced'] as const
export const ClockState = z.enum(CLOCK_STATES)
export type ClockState = z.infer<typeof ClockState>

export const RECORD_KINDS = ['interval', 'day_close', 'day_assign', 'adjustment', 'event'] as const
export const RecordKind = z.enum(RECORD_KINDS)
export type RecordKind = z.infer<typeof RecordKind>

/** Where a register stood at the end of the interval; its start is the previous end of the same subject, meter and gen. */
export const RegisterEnd = z.strictObject({
  meter: Meter,
  subject: Subject,
  gen: z.int().min(0),
  end: z.bigint().min(0n),
  custodian: MemberName.nullable(),
  workspace: WorkspaceId.nullable(),
  billable: z.boolean(),
  q: z.int().min(0).max(511),
})
export type RegisterEnd = z.infer<typeof RegisterEnd>

export const RecordTime = z.strictObject({
  monoStart: z.int().min(0),
  monoEnd: z.int().min(0),
  wallStart: z.int(),
  wallEnd: z.int(),
  clock: ClockState,
  maxErrMs: z.int().min(0),
  tz: z.string().max(64),
  day: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}$/)
    .nullable(),
})
export type RecordTime = z.infer<typeof RecordTime>

/**
 * One organisation's usage over one interval (metering.md, section 8). The bytes as first encoded are what is stored,
 * hashed, chained, signed and sent; a record is never encoded again.
 */
export const UsageRecord = z.strictObject({
  v: z.literal(1),
  gw: GatewayId,
  epoch: Epoch,
  seq: z.int().min(1),
  prev: Hash,
  kind: RecordKind,
  org: OrgId,
  aclVersion: z.int().min(0),
  registers: z.array(RegisterEnd).max(4096),
  bootId: z.string().max(64),
  time: RecordTime,
  event: z.string().max(64).nullable(),
  corrects: z.int().min(1).nullable(),
  sw: z.string().max(32),
  cfg: z.string().max(64),
})
export type UsageRecord = z.infer<typeof UsageRecord>

/** A record with its stored bytes and the SHA-256 over them. */
export interface SealedRecord {
  readonly record: UsageRecord
  readonly bytes: Uint8Array
  readonly hash: Hash
}
