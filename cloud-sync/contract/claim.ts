import { z } from 'zod'
import { GatewayId, MemberName, OrgId, plainId, WorkspaceId } from './ids.ts'
import { ApiKey, CustomRole, Member, Organisation } from './organisation.ts'
import { PublicKey } from './policy.ts'

/** Whose a gateway is that belongs to nobody; no organisation may take this id. */
export const NOBODY = OrgId.parse('unclaimed')

/** 20 characters of Crockford's base32: 100 bits. */
export const CLAIM_CODE_LENGTH = 20
/** The secret on the label. No I, L, O or U: it is read aloud and typed in the rain. */
export const ClaimCode = z
  .string()
  .regex(new RegExp(`^[0-9A-HJKMNP-TV-Z]{${CLAIM_CODE_LENGTH}}$`), '20 characters of base32')
  .brand<'ClaimCode'>()
export type ClaimCode = z.infer<typeof ClaimCode>

export const GatewayModel = z.string().regex(/^[A-Za-z0-9-]{1,32}$/, 'letters, digits and hyphens, 1 to 32')
/** The id of the gateway's identity key: who stands at the gateway knows by it that it is this one. */
export const KeyFingerprint = z.string().regex(/^[0-9a-f]{16}$/)

/** What stands on the label: `GC1:<model>:<serial>:<keyFp>:<claimCode>:<crc>`. */
export const ClaimLabel = z.strictObject({
  model: GatewayModel,
  serial: GatewayId,
  keyFp: KeyFingerprint,
  code: ClaimCode,
})
export type ClaimLabel = z.infer<typeof ClaimLabel>

/** 128 random bits, hex: one for each side of a claim on site. */
export const ClaimNonce = z.string().regex(/^[0-9a-f]{32}$/)
export type ClaimNonce = z.infer<typeof ClaimNonce>

/** How many codes a gateway has had: the code of an older generation opens nothing. */
const CodeGeneration = z.int().min(1)

/**
 * The public half of the code on the label, by the cloud to its gateway. One of a higher generation than the gateway's
 * own also ends the ownership under the old one.
 */
export const ClaimBirth = z.strictObject({
  v: z.literal(1),
  gateway: GatewayId,
  model: GatewayModel,
  generation: CodeGeneration,
  /** Of the key that the code derives. */
  claimKey: PublicKey,
})
export type ClaimBirth = z.infer<typeof ClaimBirth>

/** Serial numbers that one ticket can name. */
export const TICKET_SERIALS_MAX = 256
export const TICKET_USES_MAX = 1_000
/** People and keys that a gateway knows before its first snapshot. */
const TICKET_MEMBERS_MAX = 32

export const TicketId = plainId.brand<'TicketId'>()
export type TicketId = z.infer<typeof TicketId>

/**
 * The cloud's word that an installer may claim for an organisation. A `reservation` is one for one gateway that an online
 * claim made: the cloud has seen the proof already, and it lacks only somebody's presence at the gateway.
 */
export const ClaimTicket = z.strictObject({
  v: z.literal(1),
  id: TicketId,
  kind: z.enum(['ticket', 'reservation']),
  organisation: Organisation,
  workspace: WorkspaceId.nullable(),
  installer: MemberName,
  /** Null = any gateway of this cloud. */
  serials: z.array(GatewayId).min(1).max(TICKET_SERIALS_MAX).nullable(),
  maxUses: z.int().min(1).max(TICKET_USES_MAX),
  /** The cloud's clock, epoch ms. A gateway without trusted time cannot judge it: the cloud does, when the receipt comes. */
  from: z.int().min(0),
  until: z.int().min(0),
  /** Of a reservation: of the code that was proven. Under another label it is worth nothing. Absent in a ticket. */
  generation: CodeGeneration.optional(),
  /** All that may do anything at the gateway until the cloud's first snapshot. */
  members: z.array(Member).max(TICKET_MEMBERS_MAX),
  /** What those lack who bear a role of the organisation's own; absent = nobody does. */
  roles: z.array(CustomRole).max(TICKET_MEMBERS_MAX).optional(),
  keys: z.array(ApiKey).max(TICKET_MEMBERS_MAX),
})
export type ClaimTicket = z.infer<typeof ClaimTicket>

/** What the gateway answers to somebody who wants to claim it: signed by its identity key, for this one asking. */
export const ClaimChallenge = z.strictObject({
  v: z.literal(1),
  gateway: GatewayId,
  generation: CodeGeneration,
  /** The asker's, given back, and the gateway's own. */
  nonceP: ClaimNonce,
  nonceG: ClaimNonce,
})
export type ClaimChallenge = z.infer<typeof ClaimChallenge>

/** Signed by the key of the code, to the gateway: whoever made it has read the label, for this ticket and this asking. */
export const SiteProof = z.strictObject({
  v: z.literal(1),
  gateway: GatewayId,
  nonceP: ClaimNonce,
  nonceG: ClaimNonce,
  ticket: TicketId,
})
export type SiteProof = z.infer<typeof SiteProof>

/** Signed by the key of the code, to the cloud: whoever made it has read the label, and asks for this organisation. */
export const OnlineProof = z.strictObject({
  v: z.literal(1),
  gateway: GatewayId,
  org: OrgId,
  workspace: WorkspaceId.nullable(),
  user: MemberName,
  /** The claim's own, so that a proof is good for one claim. */
  nonce: ClaimNonce,
})
export type OnlineProof = z.infer<typeof OnlineProof>

const receipt = {
  v: z.literal(1),
  gateway: GatewayId,
  keyFp: KeyFingerprint,
  generation: CodeGeneration,
  /** One more with each claim; never falls, also not where the database is set back. */
  claimCounter: z.int().min(0),
  bootId: z.string().max(64),
  /** Milliseconds since the boot. */
  monoMs: z.int().min(0),
  /** Trusted time, epoch ms; null where the gateway had none. */
  at: z.int().min(0).nullable(),
}

/** What happened at the gateway, signed by its identity key; whoever carries it, phone or link, changes nothing. */
export const ClaimReceipt = z.discriminatedUnion('what', [
  z.strictObject({
    ...receipt,
    what: z.literal('claimed'),
    org: OrgId,
    ticket: TicketId,
    installer: MemberName,
    /** How somebody was there: with the code over a local way in, or at the button. */
    presence: z.enum(['code', 'button']),
  }),
  /** Let go: from here on `generation` is the one that opens. */
  z.strictObject({ ...receipt, what: z.literal('released') }),
])
export type ClaimReceipt = z.infer<typeof ClaimReceipt>

/** Kind of the event that carries a receipt to the cloud, and the name of its one detail (base64). */
export const RECEIPT_EVENT = 'claim.receipt'
export const RECEIPT_DETAIL = 'receipt'

/** An online claim waits so long for somebody at the gateway, ms. */
export const RESERVATION_MS = 24 * 3_600_000
/** Somebody was there: the button or the local link at most so long before or after, ms. */
export const PRESENCE_MS = 120_000
