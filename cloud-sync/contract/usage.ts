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

/** Registers that one record may name. */
export const RECORD_REGISTERS_MAX = 4096

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

/** All bits of a register's `q`. */
export const USAGE_QUALITY_MAX = 511

/** Where a register stood at the end of the interval; its start is the previous end of the same subject, meter and gen. */
export const RegisterEnd = z.strictObject({
  meter: Meter,
  subject: Subject,
  gen: z.int().min(0),
  end: z.bigint().min(0n),
  custodian: MemberName.nullable(),
  workspace: WorkspaceId.nullable(),
  billable: z.boolean(),
  q: z.int().min(0).max(USAGE_QUALITY_MAX),
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

/** Which link and which network the cellular registers of a record were counted on, in the boot that the record names. */
export const LinkSource = z.strictObject({
  /** The kernel's name and index of the interface. */
  iface: z.string().min(1).max(64),
  ifindex: z.int().min(0),
  /** The SIM; null where nobody tells. */
  iccid: z.string().min(1).max(32).nullable(),
  /** Country and network as digits, e.g. 26201. */
  mccmnc: z
    .string()
    .regex(/^\d{5,6}$/)
    .nullable(),
  roaming: z.boolean(),
  /** Radio access, e.g. `lte`. */
  rat: z.string().min(1).max(32).nullable(),
})
export type LinkSource = z.infer<typeof LinkSource>

/** What the gateway counted for a day and organisation, so that the ledger sees whether it has all of it. */
export const DayTotals = z.strictObject({
  /** Records of that day before this one: intervals, and assignments of undated ones. */
  records: z.int().min(0),
  /** Sensors whose `sensor.active_day` moved. */
  sensors: z.int().min(0),
  /** Sum of the day for each meter that moved, in the order of METERS. */
  totals: z.array(z.strictObject({ meter: Meter, quantity: z.bigint().min(0n) })).max(METERS.length),
})
export type DayTotals = z.infer<typeof DayTotals>

/** The stretch of an undated record's running time that a day gets: `from` to `to` of `of` ms. */
export const DayShare = z
  .strictObject({
    /** Epoch of the record that is labelled; null = this one. */
    epoch: Epoch.nullable(),
    from: z.int().min(0),
    to: z.int().min(1),
    of: z.int().min(1),
  })
  .refine(({ from, to, of }) => from < to && to <= of, 'a stretch lies within its whole')
export type DayShare = z.infer<typeof DayShare>

/**
 * What a share is of a quantity. Shares that follow each other from 0 to `of` sum to the quantity exactly, whatever their
 * number and order: each is a difference of two rounded sums.
 */
export const shareOf = (quantity: bigint, { from, to, of }: DayShare): bigint =>
  (quantity * BigInt(to)) / BigInt(of) - (quantity * BigInt(from)) / BigInt(of)

/** The stretch that a label without a share gives its day: all of it. */
export const WHOLE_RECORD: DayShare = { epoch: null, from: 0, to: 1, of: 1 }

/** Whether two stretches have anything in common; as fractions, which may be of different wholes. */
export const stretchesOverlap = (a: Stretch, b: Stretch): boolean => isBefore(a, b) && isBefore(b, a)
type Stretch = Omit<DayShare, 'epoch'>
/** Whether `a` begins before `b` ends. */
const isBefore = (a: Stretch, b: Stretch): boolean =>
  BigInt(a.from) * BigInt(b.of) < BigInt(b.to) * BigInt(a.of)

/** A part of a record goes with its kind. */
const belongs = ({ kind, close, share }: { kind: RecordKind; close?: unknown; share?: unknown }): boolean =>
  (close === undefined || kind === 'day_close') && (share === undefined || kind === 'day_assign')

const fields = z.strictObject({
  v: z.literal(1),
  gw: GatewayId,
  epoch: Epoch,
  seq: z.int().min(1),
  prev: Hash,
  kind: RecordKind,
  org: OrgId,
  aclVersion: z.int().min(0),
  registers: z.array(RegisterEnd).max(RECORD_REGISTERS_MAX),
  bootId: z.string().max(64),
  time: RecordTime,
  event: z.string().max(64).nullable(),
  corrects: z.int().min(1).nullable(),
  sw: z.string().max(32),
  cfg: z.string().max(64),
  /** Where a cellular link was metered. */
  src: LinkSource.optional(),
  /** `day_close` only. */
  close: DayTotals.optional(),
  /** `day_assign` only; without it the whole of the record is of that day. */
  share: DayShare.optional(),
})

/**
 * One organisation's usage over one interval (metering.md, section 8). The bytes as first encoded are what is stored,
 * hashed, chained, signed and sent; a record is never encoded again.
 */
export const UsageRecord = fields.refine(belongs, 'a part of another kind of record')
/** What a record says beside its registers: they are checked one by one as they are read, at a tenth of the cost. */
export const UsageRecordHead = fields
  .omit({ registers: true })
  .refine(belongs, 'a part of another kind of record')
export type UsageRecord = z.infer<typeof UsageRecord>

/** A record with its stored bytes and the SHA-256 over them. */
export interface SealedRecord {
  readonly record: UsageRecord
  readonly bytes: Uint8Array
  readonly hash: Hash
}
