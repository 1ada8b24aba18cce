import { z } from 'zod'
import {
  Epoch,
  GatewayId,
  Hash,
  MemberName,
  Meter,
  OrgId,
  PublicKey,
  RecordTime,
  Subject,
  WorkspaceId,
} from '../contract/index.ts'

/** Longest line, bytes: a whole batch as the link carries it fits three times. */
export const LINE_BYTES_MAX = 256 * 1024
/** Hashes of others' records in one line. */
export const HASHES_MAX = 512

const Base64 = z.base64().min(1)
const Day = z.iso.date()
/** As the record has it: a ledger from before days were checked may have one that no calendar has. */
const StampedDay = RecordTime.shape.day
const Seq = z.int().min(1)

/** Whose figures the file is about. An operator's has every record; an organisation's shows the others' as hashes. */
export const EvidenceScope = z.discriminatedUnion('of', [
  z.strictObject({ of: z.literal('operator') }),
  z.strictObject({ of: z.literal('organisation'), org: OrgId }),
])
export type EvidenceScope = z.infer<typeof EvidenceScope>

/** What the sums cover: days inclusive, null = open. The chains are always whole. */
export const EvidencePeriod = z.strictObject({ from: Day.nullable(), to: Day.nullable() })
export type EvidencePeriod = z.infer<typeof EvidencePeriod>

const HeadLine = z.strictObject({
  t: z.literal('head'),
  format: z.literal('headgate-evidence'),
  v: z.literal(2),
  /** 32 raw bytes, base64: whom to believe is the reader's own to say. */
  root: PublicKey,
  scope: EvidenceScope,
  period: EvidencePeriod,
  /** The gateways that were asked for; null = all that the scope has. */
  only: z.array(GatewayId).min(1).nullable(),
})
const KeysetLine = z.strictObject({ t: z.literal('keyset'), message: Base64 })
/** What is to come, as the ledger stood when the file was begun: at least this much. Epoch null = the gateway has none. */
const ContentsLine = z.strictObject({
  t: z.literal('contents'),
  gateway: GatewayId,
  epoch: Epoch.nullable(),
  upTo: z.int().min(0),
  head: Hash,
})
const GatewayLine = z.strictObject({ t: z.literal('gateway'), gateway: GatewayId, registration: Base64 })
const ClaimLine = z.strictObject({ t: z.literal('claim'), message: Base64 })
const StreamLine = z.strictObject({
  t: z.literal('stream'),
  epoch: Epoch,
  parent: Epoch.nullable(),
  upTo: z.int().min(0),
  head: Hash,
  state: z.enum(['open', 'forked', 'closed']),
})
const BatchLine = z.strictObject({
  t: z.literal('batch'),
  first: Seq,
  last: Seq,
  /** Hash of its last record: tells which record was changed where the signature no longer holds. */
  head: Hash,
  message: Base64,
})
const RecordLine = z.strictObject({ t: z.literal('record'), seq: Seq, bytes: Base64 })
const OthersLine = z.strictObject({
  t: z.literal('others'),
  first: Seq,
  hashes: z.array(Hash).min(1).max(HASHES_MAX),
})
const LostLine = z.strictObject({
  t: z.literal('lost'),
  first: Seq,
  last: Seq,
  /** Hash of the last of them: the record after it names it. */
  prev: Hash,
})
const FactLine = z.strictObject({
  t: z.literal('fact'),
  org: OrgId,
  day: StampedDay,
  subject: Subject,
  meter: Meter,
  custodian: MemberName.nullable(),
  workspace: WorkspaceId.nullable(),
  billable: z.boolean(),
  /** MCC and MNC of the cellular network, where there was one. */
  network: z.string().max(16).nullable(),
  quantity: z.string().regex(/^[1-9]\d{0,30}$/),
})
const SealLine = z.strictObject({ t: z.literal('seal'), message: Base64 })

export const EvidenceLine = z.discriminatedUnion('t', [
  HeadLine,
  KeysetLine,
  ContentsLine,
  GatewayLine,
  ClaimLine,
  StreamLine,
  BatchLine,
  RecordLine,
  OthersLine,
  LostLine,
  FactLine,
  SealLine,
])
export type EvidenceLine = z.infer<typeof EvidenceLine>
export type LineOf<T extends EvidenceLine['t']> = Extract<EvidenceLine, { t: T }>

/** One sum that the ledger claims: what the postings of one gateway add up to. */
export type EvidenceFact = Omit<LineOf<'fact'>, 't' | 'quantity'> & { readonly quantity: bigint }
/** Where one epoch of a gateway stands in the ledger. */
export type EvidenceStream = Omit<LineOf<'stream'>, 't'>
