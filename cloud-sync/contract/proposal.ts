import { z } from 'zod'
import { MemberName, OrgId, plainId } from './ids.ts'
import { Member, TeamHandle } from './organisation.ts'
import { Role } from './rights.ts'
import { Author, CrossPolicy, Grant, Grantee, PartnerLink, Shareable } from './sharing.ts'

/** Where changes are made: `cloud`, or a gateway under its id in lower case. */
export const ReplicaId = plainId.brand<'ReplicaId'>()
export type ReplicaId = z.infer<typeof ReplicaId>
export const CLOUD_REPLICA = 'cloud' as ReplicaId

/** One change's name for ever: the replica that made it and how many it had made. */
export const Dot = z.strictObject({ replica: ReplicaId, seq: z.int().min(1) })
export type Dot = z.infer<typeof Dot>

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
