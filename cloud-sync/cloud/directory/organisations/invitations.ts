import { z } from 'zod'
import { Level, Role } from '../../../contract/index.ts'
import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { limitTries } from '../accounts/attempts.ts'
import { ownAccount } from '../accounts/users.ts'
import { notFound, refuse } from '../errors.ts'
import { activeOrganisation, demand } from '../kernel/authority.ts'
import { foldEmail } from '../kernel/fold.ts'
import { sha256 } from '../kernel/log.ts'
import { membershipRules } from '../kernel/presets.ts'
import { assertMayGive, mayGive } from '../kernel/ranks.ts'
import { Email, Id, OrgId, Secret } from '../kernel/words.ts'
import { type Asking, command, orgChain, query, type Writing } from '../kernel/write.ts'
import { mails } from '../mail/texts.ts'
import { giveWorkspaceLevel, join } from './joining.ts'

const INVITATION_MS = 7 * 24 * 3_600_000
/** Mails that one organisation causes in a quarter of an hour. */
const INVITATIONS_MAX = 200

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
  before: (world, _actor, { org }) => limitTries(world, { bucket: `invite:${org}`, max: INVITATIONS_MAX }),
  async run(writing, { org, email, role: asked, workspace, level }) {
    if ((workspace === undefined) !== (level === undefined))
      refuse('DIRECTORY_INPUT_INVALID', 'name both a workspace and the level in it')
    const own = await demand(writing, 'member.invite', { org, workspace })
    const role = roleFor(own.organisation, asked)
    if (own.level === null) assertMayGive(own, role)
    else if (role !== 'member')
      refuse('DIRECTORY_ABOVE_RANK', 'in a workspace one invites to that workspace only')
    await assertInvitable(writing, own.organisation, email)
    return sendInvitation(writing, own.organisation, {
      email,
      role,
      invitedBy: own.user,
      by: own.link === null ? own.user : own.actingOrg,
      workspace: workspace === undefined || level === undefined ? null : { id: workspace, level },
    })
  },
})

/** Accepted by the account with the invited address, and by no other (S2.2). */
export const accept = command({
  name: 'invitation.accept',
  input: z.strictObject({ secret: Secret }),
  chains: ({ secret }, _actor, read) => chainOfInvitation(read, secret),
  async run(writing, { secret }) {
    const { invitation, user } = await opened(writing, secret)
    const organisation = (await activeOrganisation(writing, invitation.org)) ?? notFound('organisation')
    await assertStillGiven(writing, invitation)
    const { role, org } = invitation
    const present = await writing.read.get('membership', { org, user, state: 'active' })
    const member =
      present !== undefined && invitation.workspace !== null
        ? present
        : await join(writing, organisation, {
            user,
            role,
            billing: role === 'owner' || role === 'customer-owner',
          })
    if (invitation.workspace !== null && invitation.workspace_level !== null) {
      const workspace = await writing.read.get('workspace', { id: invitation.workspace, state: 'active' })
      if (workspace?.org === org)
        await giveWorkspaceLevel(writing, {
          workspace,
          member,
          level: invitation.workspace_level,
          by: invitation.invited_by,
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
    const own = await demand(writing, 'member.invite', { org })
    const invitation =
      (await writing.read.get('invitation', { id, org, state: 'open' })) ?? notFound('invitation')
    assertMayGive(own, invitation.role)
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

/** Mails an invitation with a new secret; the row of an open one is used again. */
export async function sendInvitation(
  writing: Writing,
  { id: org, name }: Pick<DirectoryRow<'organisation'>, 'id' | 'name'>,
  asked: {
    email: string
    role: Role
    invitedBy: string
    /** Named in the mail. */
    by: string
    workspace: { id: string; level: Level } | null
    text?: (to: string, link: { org: string; url: string; by: string }) => ReturnType<typeof mails.invitation>
  },
): Promise<{ invitation: string; expiresAt: number }> {
  const { read, world, at } = writing
  const email_key = foldEmail(asked.email)
  const workspace = asked.workspace?.id ?? null
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
    workspace_level: asked.workspace?.level ?? null,
    secret_hash: sha256(secret),
    invited_by: asked.invitedBy,
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

/** The vocabulary may fix the role (S0.18); else the inviter's choice, else the lowest that sees nothing. */
function roleFor({ preset }: DirectoryRow<'organisation'>, asked: Role | undefined): Role {
  const { roles, inviteRole } = membershipRules(preset)
  const role = inviteRole ?? asked ?? (roles.includes('member') ? 'member' : 'customer-viewer')
  if (!roles.includes(role)) refuse('DIRECTORY_PRESET_FORBIDS', `there is no role ${role} here`)
  return role
}

async function assertInvitable(
  { read }: Asking,
  { id: org, preset }: DirectoryRow<'organisation'>,
  email: string,
): Promise<void> {
  const user = await read.get('user', { email_key: foldEmail(email) })
  if (user === undefined) {
    if (membershipRules(preset).inviteNeedsAccount)
      refuse('DIRECTORY_NO_ACCOUNT', `nobody has signed up as ${email}`)
    return
  }
  if (await read.get('membership', { org, user: user.id, state: ['active', 'suspended'] }))
    refuse('DIRECTORY_EXISTS', `${email} is a member already`)
}

/** What its author may no longer give is not given: they left, were removed or lost their rank since. */
async function assertStillGiven(
  { read }: Asking,
  { org, invited_by, role }: DirectoryRow<'invitation'>,
): Promise<void> {
  const author = await read.get('membership', { org, user: invited_by })
  if (author === undefined || author.state === 'active') {
    if (author === undefined || mayGive(author.role, role)) return
  }
  refuse('DIRECTORY_INVITATION_INVALID', 'who invited you may not do so any more')
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
  return { invitation, user: user.id }
}
