import { z } from 'zod'
import { Role } from '../../../contract/index.ts'
import type { DirectoryRow } from '../../storage/index.ts'
import { notFound, refuse } from '../errors.ts'
import { activeOrganisation, demand } from '../kernel/authority.ts'
import { MAX } from '../kernel/limits.ts'
import { Description, Email, Id, Instant, OrgId, Title } from '../kernel/words.ts'
import { type Asking, command, orgChain, query, type Writing } from '../kernel/write.ts'
import { addWorkspace, foundOrganisation } from './founding.ts'
import { sendInvitation } from './invitations.ts'
import { assertRolledOut } from './platform.ts'

/** The most that a partner's people are in a customer's organisation. */
const Cap = Role.extract(['super-installer', 'systems-admin', 'installer'])
const CAP = 'super-installer'

/**
 * A partner makes a customer's organisation, with its systems and the invitation of its owner, now or later (S4.4). The
 * customer owns it; the partner manages it by a link that needs no row for any of its people (S4.6).
 */
export const createCustomer = command({
  name: 'customer.create',
  input: z.strictObject({
    /** The partner. */
    org: OrgId,
    id: OrgId,
    name: Title,
    description: Description.default(''),
    systems: z.array(Title).max(100).default([]),
    lead: Email.optional(),
  }),
  chains: ({ id }) => [orgChain(id)],
  async run(writing, { org, id, name, description, systems, lead }) {
    await assertRolledOut(writing.read, 'partners')
    const own = await demand(writing, 'customer.create', { org })
    if (own.organisation.type !== 'partner') refuse('DIRECTORY_FORBIDDEN', 'only a partner has customers')
    const { preset } = own.organisation
    await foundOrganisation(writing, {
      id,
      name,
      description,
      logoUrl: '',
      preset,
      type: 'customer',
      owner: undefined,
    })
    const made = []
    for (const system of systems)
      made.push((await addWorkspace(writing, { org: id, name: system, type: 'system', by: org })).id)
    const link = await addLink(writing, { org: id, partner: org, state: 'active', consentBy: org })
    if (lead !== undefined)
      await sendInvitation(
        writing,
        { id, name },
        { email: lead, role: 'customer-owner', invitedBy: own, by: own.organisation.name, workspace: null },
      )
    return { customer: id, link, systems: made }
  },
})

/** Asks an organisation that exists to be managed; what comes back does not tell whether there is one. */
export const ask = command({
  name: 'link.ask',
  input: z.strictObject({
    org: OrgId,
    customer: OrgId,
    cap: Cap.default(CAP),
    expiresAt: Instant.optional(),
  }),
  chains: ({ customer }) => [orgChain(customer)],
  async run(writing, { org, customer, cap, expiresAt }) {
    await assertRolledOut(writing.read, 'partners')
    const own = await demand(writing, 'customer.create', { org })
    if (own.organisation.type !== 'partner') refuse('DIRECTORY_FORBIDDEN', 'only a partner has customers')
    const target = await activeOrganisation(writing, customer)
    const present = await writing.read.get('management_link', {
      org: customer,
      partner: org,
      state: ['pending', 'active'],
    })
    // Not transitive: a partner is nobody's customer.
    const asked = await writing.read.count('management_link', { org: customer, state: ['pending', 'active'] })
    const isRoom = asked < MAX.partnersOfOrganisation
    if (target !== undefined && target.type !== 'partner' && present === undefined && isRoom)
      await addLink(writing, {
        org: customer,
        partner: org,
        state: 'pending',
        consentBy: null,
        cap,
        expiresAt,
      })
    return { customer }
  },
})

/** The customer's owner consents. */
export const accept = command({
  name: 'link.accept',
  input: z.strictObject({ org: OrgId, link: Id }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, link: id }) {
    const own = await demand(writing, 'link.accept', { org })
    const link =
      (await writing.read.get('management_link', { id, org, state: 'pending' })) ?? notFound('link')
    await writing.put('management_link', {
      ...link,
      state: 'active',
      consent_by: own.user,
      begun_at: writing.at,
    })
    return { link: id }
  },
})

/** Ends the management at once; the customer's owner or the partner's, each for their own side. */
export const terminate = command({
  name: 'link.terminate',
  input: z.strictObject({ org: OrgId, link: Id }),
  chains: async ({ link: id }, _actor, read) => {
    const link = await read.get('management_link', { id })
    return link === undefined ? [] : [orgChain(link.org)]
  },
  async run(writing, { org, link: id }) {
    const own = await demand(writing, 'link.terminate', { org })
    const link = await writing.read.get('management_link', { id, state: ['pending', 'active'] })
    if (own.link !== null || (link?.org !== org && link?.partner !== org)) return notFound('link')
    await writing.put('management_link', { ...link, state: 'ended' })
    return { link: id }
  },
})

/** Who manages this organisation, and whom it manages: organisations, never their people (S4.14). */
export const list = query({
  input: z.strictObject({ org: OrgId }),
  async run(asking, { org }) {
    await demand(asking, 'org.read', { org })
    const state = ['pending', 'active'] as const
    const order = { orderBy: ['id'] } as const
    const managedBy = await asking.read.find('management_link', { org, state }, order)
    const manages = await asking.read.find('management_link', { partner: org, state }, order)
    const known = await asking.read.find('organisation', {
      id: [...managedBy.map(({ partner }) => partner), ...manages.map((link) => link.org)],
    })
    const names = new Map(known.map(({ id, name }) => [id, name]))
    const shown = (other: string, { id, cap, state: now, expires_at }: DirectoryRow<'management_link'>) => ({
      link: id,
      org: other,
      name: names.get(other) ?? other,
      cap,
      state: now,
      expiresAt: expires_at,
    })
    return {
      managedBy: managedBy.map((link) => shown(link.partner, link)),
      manages: manages.filter((link) => link.state === 'active').map((link) => shown(link.org, link)),
    }
  },
})

export async function addLink(
  writing: Writing,
  asked: {
    org: string
    partner: string
    state: 'pending' | 'active'
    consentBy: string | null
    cap?: Role
    expiresAt?: number | undefined
  },
): Promise<string> {
  const id = writing.world.newId()
  const { org, partner, state, consentBy, cap = CAP, expiresAt = null } = asked
  const row = {
    id,
    org,
    partner,
    cap,
    state,
    consent_by: consentBy,
    expires_at: expiresAt,
    created_at: writing.at,
    begun_at: state === 'active' ? writing.at : null,
  }
  await writing.put('management_link', row)
  return id
}

/** The active links of a customer at this moment. */
export async function partnersOf(
  { read, at }: Pick<Asking, 'read' | 'at'>,
  org: string,
): Promise<DirectoryRow<'management_link'>[]> {
  const links = await read.find('management_link', { org, state: 'active' })
  return links.filter(({ expires_at }) => expires_at === null || expires_at > at)
}
