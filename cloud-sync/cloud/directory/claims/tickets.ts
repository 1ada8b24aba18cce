import { z } from 'zod'
import { sealTicket } from '../../../codec/index.ts'
import {
  ClaimTicket,
  GatewayId,
  MemberName,
  OrgId,
  TICKET_SERIALS_MAX,
  TICKET_USES_MAX,
  TicketId,
} from '../../../contract/index.ts'
import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { notFound, refuse } from '../errors.ts'
import { demand, may, type Standing } from '../kernel/authority.ts'
import { customRoleFact, memberFact, organisationOf } from '../kernel/facts.ts'
import { OWNER_ROLES } from '../kernel/presets.ts'
import { Id } from '../kernel/words.ts'
import { type Asking, command, orgChain, query, type Writing } from '../kernel/write.ts'
import { memberOf } from '../organisations/members.ts'
import { workspaceOf } from '../organisations/workspaces.ts'

const DAY_MS = 24 * 3_600_000
const TICKET_DAYS_MAX = 90
const TICKET_DAYS = 14
/** Owners that a ticket tells of besides the installer. */
const OWNERS_MAX = 15
const KEYS_MAX = 32

/** For an installer who goes where there is no signal: what it allows is counted when the receipts come. */
export const issue = command({
  name: 'ticket.issue',
  input: z.strictObject({
    org: OrgId,
    workspace: Id.optional(),
    /** A member; absent = who asks. */
    installer: MemberName.optional(),
    /** Absent = any gateway that is nobody's. */
    serials: z.array(GatewayId).min(1).max(TICKET_SERIALS_MAX).optional(),
    maxUses: z.int().min(1).max(TICKET_USES_MAX).optional(),
    days: z.int().min(1).max(TICKET_DAYS_MAX).default(TICKET_DAYS),
  }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, workspace, installer, serials, maxUses, days }) {
    const standing = await demand(writing, 'gw.claim', { org, workspace })
    if (workspace !== undefined) await workspaceOf(writing, org, workspace)
    // What is claimed by it is in the installer's custody: to send somebody else is to give them that.
    if (installer !== undefined && installer !== standing.user) {
      await demand(writing, 'share.changeOwner', { org }, { level: 'owner' })
      await memberOf(writing, org, installer)
    }
    const ticket = await makeTicket(writing, {
      org,
      workspace: workspace ?? null,
      standing,
      installer: installer ?? standing.user,
      kind: 'ticket',
      serials: serials ?? null,
      maxUses: maxUses ?? serials?.length ?? 1,
      until: writing.at + days * DAY_MS,
    })
    return ticketShown(ticket, writing)
  },
})

/** From now on no receipt counts by it, also none of a claim that was made before and has not been heard of. */
export const revoke = command({
  name: 'ticket.revoke',
  input: z.strictObject({ org: OrgId, ticket: TicketId }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, ticket: id }) {
    const standing = await demand(writing, 'org.read', { org })
    const row = (await writing.read.get('claim_ticket', { id, org })) ?? notFound('ticket')
    if (row.installer !== standing.user && row.issued_by !== standing.user)
      await demand(writing, 'gw.claim', { org, workspace: row.workspace ?? undefined })
    if (row.state === 'live')
      await writing.put('claim_ticket', { ...row, state: 'revoked', revoked_at: writing.at })
    return { ticket: id }
  },
})

/** Tickets and reservations of the organisation, newest last; those of others only for who may claim. */
export const list = query({
  input: z.strictObject({ org: OrgId }),
  async run(asking, { org }) {
    const { user, actingOrg } = await demand(asking, 'org.read', { org })
    const all = await may(asking, 'gw.claim', { org })
    const rows = await asking.read.find('claim_ticket', { org }, { orderBy: ['created_at', 'id'] })
    const shown = rows.filter(({ installer, issued_by }) => all || installer === user || issued_by === user)
    return Promise.all(
      shown.map(async (row) => ({
        id: row.id,
        kind: row.kind,
        workspace: row.workspace,
        installer: await installerShown(asking.read, { org, viewer: actingOrg, installer: row.installer }),
        gateway: row.gateway,
        maxUses: row.max_uses,
        uses: (await usesOf(asking.read, row.id)).length,
        until: row.until_at,
        state: row.state,
      })),
    )
  },
})

/** Who works for a partner is shown as the partner to all but its own people (S4.14). */
async function installerShown(
  read: DirectoryReader,
  { org, viewer, installer }: { org: string; viewer: string; installer: string },
): Promise<string> {
  if (await read.get('membership', { org, user: installer })) return installer
  const links = await read.find('management_link', { org })
  const partners = links.map(({ partner }) => partner)
  const employer = (await read.find('membership', { org: partners, user: installer }))[0]?.org
  return employer === undefined || employer === viewer ? installer : employer
}

/** The ticket itself again, for its installer or who may claim. */
export const show = query({
  input: z.strictObject({ org: OrgId, ticket: TicketId }),
  async run(asking, { org, ticket: id }) {
    const { user } = await demand(asking, 'org.read', { org })
    const row = (await asking.read.get('claim_ticket', { id, org })) ?? notFound('ticket')
    if (row.installer !== user && row.issued_by !== user) await demand(asking, 'gw.claim', { org })
    return ticketShown(row, asking)
  },
})

export interface NewTicket {
  readonly org: string
  readonly workspace: string | null
  readonly standing: Standing
  readonly installer: string
  readonly kind: 'ticket' | 'reservation'
  readonly serials: readonly GatewayId[] | null
  readonly maxUses: number
  readonly until: number
  /** Of the code that a reservation was proven with. */
  readonly generation?: number
}

/** Kept as it will be signed: the same ticket is always the same bytes but for the keys that sign for the cloud then. */
export async function makeTicket(
  writing: Writing,
  { org, workspace, standing, installer, kind, serials, maxUses, until, generation }: NewTicket,
): Promise<DirectoryRow<'claim_ticket'>> {
  const id = TicketId.parse(writing.world.newId())
  const body = ClaimTicket.parse({
    v: 1,
    id,
    kind,
    organisation: organisationOf(standing.organisation),
    workspace,
    installer,
    serials,
    maxUses,
    from: writing.at,
    until,
    generation,
    ...(await fewestMembers(writing.read, org, installer)),
  })
  const row = {
    id,
    org,
    kind,
    workspace,
    installer,
    gateway: kind === 'reservation' ? (serials?.[0] ?? null) : null,
    body: JSON.stringify(body),
    max_uses: maxUses,
    from_at: writing.at,
    until_at: until,
    state: 'live',
    issued_by: standing.user,
    created_at: writing.at,
    revoked_at: null,
  } as const
  await writing.add('claim_ticket', row)
  return row
}

/** The installer and the owners, with their keys: who must be able to see that it works, and no more. */
async function fewestMembers(
  read: DirectoryReader,
  org: string,
  installer: string,
): Promise<Pick<z.input<typeof ClaimTicket>, 'members' | 'roles' | 'keys'>> {
  const own = await read.find('membership', { org, user: installer, state: 'active' })
  const owners = await read.find(
    'membership',
    { org, role: OWNER_ROLES, state: 'active' },
    { orderBy: ['user'], limit: OWNERS_MAX },
  )
  const rows = [...own, ...owners.filter(({ user }) => user !== installer)]
  const tokens = await read.find(
    'token',
    { org, user: rows.map(({ user }) => user), state: 'active' },
    { orderBy: ['id'] },
  )
  const customs = rows.flatMap(({ custom }) => custom ?? [])
  const roles = await read.find('custom_role', { id: customs, state: 'active' }, { orderBy: ['id'] })
  const isPresent = ({ user, incarnation }: DirectoryRow<'token'>): boolean =>
    rows.some((row) => row.user === user && row.incarnation === incarnation)
  return {
    members: rows.flatMap(memberFact),
    ...(roles.length === 0 ? {} : { roles: roles.map(customRoleFact) }),
    keys: tokens
      .filter(isPresent)
      .slice(0, KEYS_MAX)
      .map((token) => ({
        org,
        name: token.name,
        member: token.user,
        incarnation: token.incarnation,
        scope: token.scope,
        expiresAt: token.expires_at,
        hash: token.hash,
      })),
  }
}

/** The ticket as it travels, base64. */
export function ticketShown(
  row: DirectoryRow<'claim_ticket'>,
  { world }: Pick<Asking, 'world'>,
): { ticket: string; sealed: string; until: number } {
  return { ticket: row.id, sealed: sealedTicket(row, world), until: row.until_at }
}

/** Signed by whichever key signs for the cloud now. */
export function sealedTicket(
  row: DirectoryRow<'claim_ticket'>,
  { seal }: Pick<Asking['world'], 'seal'>,
): string {
  if (seal === undefined) return refuse('DIRECTORY_FORBIDDEN', 'this directory signs nothing')
  const ticket = ClaimTicket.parse(JSON.parse(row.body))
  return Buffer.from(sealTicket(ticket, seal())).toString('base64')
}

/** Gateways that were confirmed by a ticket. */
export async function usesOf(read: DirectoryReader, ticket: string): Promise<string[]> {
  const rows = await read.find('claim_receipt', { ticket, verdict: 'confirmed' })
  return [...new Set(rows.map(({ gateway }) => gateway))]
}
