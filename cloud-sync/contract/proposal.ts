import { z } from 'zod'
import { GatewayId, MemberName, OrgId, plainId } from './ids.ts'
import { Member, TeamHandle } from './organisation.ts'
import { Role } from './rights.ts'
import { Author, CrossPolicy, Grant, Grantee, type GrantId, PartnerLink, Shareable } from './sharing.ts'

/** Where changes are made: `cloud`, or the database of a gateway under a random number of its own. */
export const ReplicaId = plainId.brand<'ReplicaId'>()
export type ReplicaId = z.infer<typeof ReplicaId>
export const CLOUD_REPLICA = 'cloud' as ReplicaId

/** One change's name for ever: the replica that made it and how many it had made. */
export const Dot = z.strictObject({ replica: ReplicaId, seq: z.int().min(1) })
export type Dot = z.infer<typeof Dot>

/** What a share that was made at a gateway is called: after the change that made it, so that it is no other's name. */
export const shareMadeBy = ({ replica, seq }: Dot): GrantId =>
  `here-${replica.slice(0, REPLICA_DIGITS)}-${seq}` as GrantId
const REPLICA_DIGITS = 12

/** What a change does. */
export const AccessChange = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('member.set'),
    org: OrgId,
    name: MemberName,
    role: Role,
    /** One more than the last for who joins, the present one for a change of role. */
    incarnation: Member.shape.incarnation,
  }),
  /** Also leaving, where the author is the one removed. */
  z.strictObject({ kind: z.literal('member.remove'), org: OrgId, name: MemberName }),
  /** Keeps everything and may do nothing, until the cloud says otherwise. */
  z.strictObject({ kind: z.literal('member.suspend'), org: OrgId, name: MemberName }),
  z.strictObject({
    kind: z.literal('team.add'),
    org: OrgId,
    team: TeamHandle,
    name: MemberName,
    incarnation: Member.shape.incarnation,
  }),
  z.strictObject({ kind: z.literal('team.remove'), org: OrgId, team: TeamHandle, name: MemberName }),
  z.strictObject({ kind: z.literal('policy.add'), policy: CrossPolicy }),
  z.strictObject({ kind: z.literal('policy.remove'), from: OrgId, to: OrgId }),
  z.strictObject({ kind: z.literal('link.add'), link: PartnerLink }),
  z.strictObject({ kind: z.literal('link.remove'), partner: OrgId, customer: OrgId }),
  z.strictObject({ kind: z.literal('grant.add'), grant: Grant }),
  z.strictObject({ kind: z.literal('grant.remove'), on: Shareable, to: Grantee }),
  z.strictObject({ kind: z.literal('key.block'), org: OrgId, name: MemberName }),
  /** Its author hears no more of these alerts; nobody's rights change. */
  z.strictObject({
    kind: z.literal('alert.opt-out'),
    on: Shareable,
    alert: z.enum(['offline', 'low-battery', 'all']),
  }),
  /** The gateway and all that its owner owns on it; guests' devices stay theirs. */
  z.strictObject({ kind: z.literal('transfer'), to: OrgId }),
])
export type AccessChange = z.infer<typeof AccessChange>

/** A change with its place in history. Signed by its replica; whoever resolves has checked that. */
export const Proposal = z.strictObject({
  dot: Dot,
  /** The causal context: of each replica, how many of its changes the author's replica had seen. */
  seen: z.record(ReplicaId, z.int().min(0)),
  author: Author,
  /** Policy time where it was made, epoch ms: for what had expired by then, never for the order. */
  at: z.int().min(0),
  change: AccessChange,
})
export type Proposal = z.infer<typeof Proposal>

/** How far the cloud has judged what one replica made. */
export const ChangesHeard = z.strictObject({ replica: ReplicaId, upTo: z.int().min(0) })
export type ChangesHeard = z.infer<typeof ChangesHeard>

/** `up/prop`: a change made at a gateway. Its bytes never change, however often it is sent. */
export const GatewayChange = z.strictObject({
  v: z.literal(1),
  gw: GatewayId,
  /** Of the gateway, when it was made: nothing of an older owner has effect. */
  ownerEpoch: z.int().min(1),
  proposal: Proposal,
})
export type GatewayChange = z.infer<typeof GatewayChange>

/** `refused`: its author had not the right when it was made. `void`: it was right there, and lost against `winner`. */
export const CHANGE_STATES = ['accepted', 'refused', 'void'] as const

export const ChangeVerdict = z.strictObject({
  seq: z.int().min(1),
  state: z.enum(CHANGE_STATES),
  because: z.string().max(64).nullable(),
  /** Entry of the cloud's policy log, `chain#number`. */
  winner: z.string().max(160).nullable(),
})
export type ChangeVerdict = z.infer<typeof ChangeVerdict>

/** `dn/ack/prop`: sent only after what it says is committed. */
export const ChangeAck = ChangesHeard.extend({
  verdicts: z.array(ChangeVerdict).max(256),
  /** Cloud's clock, epoch ms: signed, so it is trusted time. */
  serverTime: z.int().min(0),
})
export type ChangeAck = z.infer<typeof ChangeAck>
