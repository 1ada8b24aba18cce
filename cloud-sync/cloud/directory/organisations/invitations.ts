import { z } from 'zod'
import { Level, Role } from '../../../contract/index.ts'
import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { accountsAt, provenAccount } from '../accounts/addresses.ts'
import { limitTries } from '../accounts/attempts.ts'
import { ownAccount } from '../accounts/users.ts'
import { notFound, refuse } from '../errors.ts'
import { activeOrganisation, demand, type Matter, may } from '../kernel/authority.ts'
import { foldEmail } from '../kernel/fold.ts'
import { sha256 } from '../kernel/log.ts'
import { assertWorkspacePeople, isOwnerRole, leastRole, packOf, rolesOf } from '../kernel/presets.ts'
import { Email, Id, OrgId, Secret } from '../kernel/words.ts'
import { type Asking, command, orgChain, ownChain, query, type Writing } from '../kernel/write.ts'
import { mails } from '../mail/texts.ts'
import { type Author, giveWorkspaceLevel, join } from './joining.ts'

const INVITATION_MS = 7 * 24 * 3_600_000
/** Mails that one organisation causes in a quarter of an hour. */
const INVITATIONS_MAX = 200
/** Of these, by one person. */
const INVITATIONS_EACH_MAX = 150

/** Invites an address; an open invitation is sent again, and its older mail opens nothing any more (S0.16). */
export const invite = command({
  name: 'invitation.invite',
  input: z.strictObject({
    org: OrgId,
    email: Email,
    role: Role.optional(),
    workspace: Id.optional(),
    /** The role in that workspace. */
    level: Level.optional(),
  }),
  chains: ({ org }) => [orgChain(org)],
  async before(world, actor, { org, workspace }) {
    // What somebody may not do uses up nothing of who may.
    const asking = { read: world.store.read, actor, at: world.now() }
    if (actor.kind !== 'user' || !(await may(asking, 'member.invite', { org, workspace }))) return
    const each = `invite:${org}:${actor.user}`
    await limitTries(world, { bucket: each, max: INVITATIONS_EACH_MAX })
    await limitTries(world, { bucket: `invite:${org}`, max: INVITATIONS_MAX })
  },
  async run(writing, { org, email, role: asked, workspace, level }) {
    if ((workspace === undefined) !== (level === undefined))
      refuse('DIRECTORY_INPUT_INVALID', 'name both a workspace and the level in it')
    const { organisation } = await demand(writing, 'org.read', { org })
    if (workspace !== undefined) assertWorkspacePeople(organisation)
    const role = roleFor(organisation, asked)
    const own = await demand(
      writing,
      'member.invite',
      { org, workspace },
      matterOf(organisation, { role, level }),
    )
    await assertInvitable(writing, organisation, { email, workspace })
    return sendInvitation(writing, organisation, {
      email,
      role,
      invitedBy: own,
      by: own.link === null ? own.user : own.actingOrg,
      workspace: workspace === undefined || level === undefined ? null : { id: workspace, level },
    })
  },
})

/** Accepted by the account with the invited address, proven to be its own, and by no other (S2.2). */
export const accept = command({
  name: 'invitation.accept',
  input: z.strictObject({ secret: Secret }),
  // Also the own chain: what one may be in at once is decided one after the other.
  chains: async (input, actor, read) => [
    ...(await chainOfInvitation(read, input.secret)),
    ...ownChain(input, actor),
  ],
  async run(writing, { secret }) {
    const { invitation, user } = await opened(writing, secret)
    const organisation = (await activeOrganisation(writing, invitation.org)) ?? notFound('organisation')
    await assertStillGiven(writing, organisation, invitation)
    const { role, org } = invitation
    const present = await writing.read.get('membership', { org, user, state: 'active' })
    const member =
      present !== undefined && invitation.workspace !== null
        ? present
        : await join(writing, organisation, { user, role, billing: isOwnerRole(role) })
    if (invitation.workspace !== null && invitation.workspace_level !== null) {
      const workspace = await writing.read.get('workspace', { id: invitation.workspace, state: 'active' })
      if (workspace?.org === org)
        await giveWorkspaceLevel(writing, {
          workspace,
          member,
          level: invitation.workspace_level,
          by: {
            user: invitation.invited_by,
            actingOrg: invitation.invited_by_org ?? org,
            incarnation: invitation.invited_by_incarnation,
          },
        })
    }
    await writing.put('invitation', { ...invitation, state: 'accepted', accepted_by: user })
    return { organisation: org, role: member.role }
  },
})

export const decline = command({
  name: 'invitation.decline',
  input: z.strictObject({ secret: Secret }),
  chains: ({ secret }, _actor, read) => chainOfInvitation(read, secret),
  async run(writing, { secret }) {
    const { invitation } = await opened(writing, secret)
    await writing.put('invitation', { ...invitation, state: 'declined' })
    return { organisation: invitation.org }
  },
})

export const revoke = command({
  name: 'invitation.revoke',
  input: z.strictObject({ org: OrgId, invitation: Id }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, invitation: id }) {
    await demand(writing, 'org.read', { org })
    const invitation =
      (await writing.read.get('invitation', { id, org, state: 'open' })) ?? notFound('invitation')
    await demand(writing, 'member.invite', { org }, { role: invitation.role })
    await writing.put('invitation', { ...invitation, state: 'revoked' })
    return { invitation: id }
  },
})

/** Who is invited and has not answered. */
export const list = query({
  input: z.strictObject({ org: OrgId }),
  async run(asking, { org }) {
    await demand(asking, 'member.invite', { org })
    const open = await asking.read.find(
      'invitation',
      { org, state: 'open' },
      { orderBy: ['created_at', 'id'] },
    )
    return open.map(({ id, email, role, workspace, workspace_level, created_at, expires_at }) => ({
      id,
      email,
      role,
      workspace,
      level: workspace_level,
      createdAt: created_at,
      expiresAt: expires_at,
      expired: expires_at <= asking.at,
    }))
  },
})

/** As whom the platform itself invites. */
const PLATFORM = { user: 'platform', actingOrg: null, incarnation: 0 } as const
const NO_WORKSPACE = { id: null, level: null } as const

/** Mails an invitation with a new secret; the row of an open one is used again. */
export async function sendInvitation(
  writing: Writing,
  { id: org, name }: Pick<DirectoryRow<'organisation'>, 'id' | 'name'>,
  asked: {
    email: string
    role: Role
    /** Null = the platform. */
    invitedBy: Author | null
    /** Named in the mail. */
    by: string
    workspace: { id: string; level: Level } | null
    text?: (to: string, link: { org: string; url: string; by: string }) => ReturnType<typeof mails.invitation>
  },
): Promise<{ invitation: string; expiresAt: number }> {
  const { read, world, at } = writing
  const email_key = foldEmail(asked.email)
  const { id: workspace, level } = asked.workspace ?? NO_WORKSPACE
  const author = asked.invitedBy ?? PLATFORM
  const open = await read.get('invitation', { org, email_key, workspace, state: 'open' })
  const secret = world.newSecret()
  const expiresAt = at + INVITATION_MS
  const id = open?.id ?? world.newId()
  await writing.put('invitation', {
    id,
    org,
    email: asked.email,
    email_key,
    role: asked.role,
    workspace,
    workspace_level: level,
    secret_hash: sha256(secret),
    invited_by: author.user,
    invited_by_org: author.actingOrg,
    invited_by_incarnation: author.incarnation,
    state: 'open',
    accepted_by: null,
    created_at: at,
    expires_at: expiresAt,
  })
  const url = `${world.siteUrl}/invitation#${secret}`
  const { by, text = mails.invitation } = asked
  await writing.mail(text(asked.email, { org: name, url, by }))
  return { invitation: id, expiresAt }
}

/** The vocabulary may fix the role (S0.18); else the inviter's choice, else what sees the least. */
function roleFor(organisation: DirectoryRow<'organisation'>, asked: Role | undefined): Role {
  const { invitesAs } = packOf(organisation)
  const role = invitesAs === 'chosen' ? (asked ?? leastRole(organisation)) : invitesAs
  if (!rolesOf(organisation).includes(role))
    refuse('DIRECTORY_PRESET_FORBIDS', `there is no role ${role} here`)
  return role
}

/** Into a workspace one invites with the least role of the organisation: then only the level there is given. */
const matterOf = (
  organisation: DirectoryRow<'organisation'>,
  { role, level }: { role: Role; level: Level | null | undefined },
): Matter => {
  if (level === undefined || level === null) return { role }
  return role === leastRole(organisation) ? { level } : { role, level }
}

/** A member may be invited to another workspace, not to the organisation again. */
async function assertInvitable(
  { read }: Asking,
  organisation: DirectoryRow<'organisation'>,
  { email, workspace }: { email: string; workspace: string | undefined },
): Promise<void> {
  if (packOf(organisation).inviteNeedsAccount && (await accountsAt(read, email)).length === 0)
    refuse('DIRECTORY_NO_ACCOUNT', `nobody has signed up as ${email}`)
  const user = await provenAccount(read, email)
  if (user === undefined) return
  const where = { org: organisation.id, user: user.id, state: ['active', 'suspended'] } as const
  if (workspace === undefined && (await read.get('membership', where)))
    refuse('DIRECTORY_EXISTS', `${email} is a member already`)
}

/** What its author may no longer give is not given: they left, were removed or lost their rank since. */
async function assertStillGiven(
  writing: Writing,
  organisation: DirectoryRow<'organisation'>,
  {
    org,
    invited_by: user,
    invited_by_org,
    invited_by_incarnation: incarnation,
    role,
    workspace,
    workspace_level: level,
  }: DirectoryRow<'invitation'>,
): Promise<void> {
  if (invited_by_org === null) return
  const ended = (): never => refuse('DIRECTORY_INVITATION_INVALID', 'who invited you may not do so any more')
  // Who was removed and invited again is another member: what the first one sent stays dead.
  const author = await writing.read.get('membership', { org: invited_by_org, user, state: 'active' })
  if (author?.incarnation !== incarnation) return ended()
  const asAuthor = { ...writing, actor: { kind: 'user', user, org: invited_by_org, scope: 'full' } as const }
  const target = { org, workspace: workspace ?? undefined }
  if (!(await may(asAuthor, 'member.invite', target, matterOf(organisation, { role, level })))) ended()
}

async function chainOfInvitation(read: DirectoryReader, secret: string): Promise<string[]> {
  const found = await read.get('invitation', { secret_hash: sha256(secret) })
  return found === undefined ? [] : [orgChain(found.org)]
}

/** One answer for all that is wrong with the secret, so that nobody learns which invitations there are. */
async function opened(
  writing: Writing,
  secret: string,
): Promise<{ invitation: DirectoryRow<'invitation'>; user: string }> {
  const user = await ownAccount(writing)
  const invitation = await writing.read.get('invitation', { secret_hash: sha256(secret) })
  const usable = invitation?.state === 'open' && invitation.expires_at > writing.at
  if (!usable || invitation.email_key !== user.email_key)
    return refuse(
      'DIRECTORY_INVITATION_INVALID',
      'the invitation is for another address, was used or has expired',
    )
  // Forwarded, it opens nothing to who signs up with its address: only its mailbox proves whose that is.
  if (user.email_verified_at === null)
    refuse('DIRECTORY_ADDRESS_UNPROVEN', `confirm first that ${user.email} is your address`)
  return { invitation, user: user.id }
}
