import { z } from 'zod'
import type { ZoneFrom } from '../../../contract/index.ts'
import type { DirectoryRow } from '../../storage/index.ts'
import { stepUp } from '../accounts/attempts.ts'
import { ownAccount } from '../accounts/users.ts'
import { notFound, refuse } from '../errors.ts'
import { activeOrganisation, demand, demandOperator } from '../kernel/authority.ts'
import { foldName } from '../kernel/fold.ts'
import { Description, LogoUrl, OrgId, Quotas, Timezone, Title } from '../kernel/words.ts'
import { command, orgChain, ownChain, query, type Asking } from '../kernel/write.ts'
import { zonesWith } from './billing-zones.ts'
import { foundOrganisation, NewOrganisation } from './founding.ts'

/** Typed before anything is searched (S0.26). */
const SEARCH_LETTERS_MIN = 3
const FOUND_MAX = 20

/** Any user may found more organisations and owns them (S1.5). */
export const create = command({
  name: 'organisation.create',
  input: NewOrganisation.extend({ workspace: Title.optional() }),
  // Also the own chain: what one may be in at once is decided one after the other.
  chains: (input, actor) => [orgChain(input.id), ...ownChain(input, actor)],
  async run(writing, input) {
    const { id: owner } = await ownAccount(writing)
    const { id, workspace } = await foundOrganisation(writing, { ...input, owner })
    return { organisation: id, workspace }
  },
})

/** Name, description, logo (S1.9), and the zone that days are billed in, from a following month on. */
export const update = command({
  name: 'organisation.update',
  input: z.strictObject({
    org: OrgId,
    name: Title.optional(),
    description: Description.optional(),
    logoUrl: LogoUrl.optional(),
    billingZone: Timezone.optional(),
  }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, name, description, logoUrl, billingZone }) {
    const { organisation } = await demand(writing, 'org.update', { org })
    // What a day is decides what it costs.
    if (billingZone !== undefined) await demand(writing, 'billing.manage', { org })
    await writing.put('organisation', {
      ...organisation,
      name: name ?? organisation.name,
      name_key: foldName(name ?? organisation.name),
      description: description ?? organisation.description,
      logo_url: logoUrl ?? organisation.logo_url,
      billing_zones: zonesAfter(organisation, billingZone, writing.at),
    })
    return { organisation: org }
  },
})

/** As the row has them: with another one from a following month on, or as they are. */
const zonesAfter = (
  { billing_zones: known }: DirectoryRow<'organisation'>,
  zone: string | undefined,
  at: number,
): string =>
  zone === undefined ? known : JSON.stringify(zonesWith(JSON.parse(known) as ZoneFrom[], zone, at))

/** Public organisations are found by others; policies that exist do not depend on it (S0.24). */
export const setVisibility = command({
  name: 'organisation.set-visibility',
  input: z.strictObject({ org: OrgId, visibility: z.enum(['private', 'public']) }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, visibility }) {
    const { organisation } = await demand(writing, 'org.visibility', { org })
    await writing.put('organisation', { ...organisation, visibility })
    return { organisation: org, visibility }
  },
})

/** Only an owner, and with the password (S1.10, S2.11). */
export const remove = command({
  name: 'organisation.delete',
  input: z.strictObject({ org: OrgId, password: z.string().max(256) }),
  chains: ({ org }) => [orgChain(org)],
  before: (world, actor, { password }) => stepUp(world, actor, password),
  async run(writing, { org }) {
    const { organisation } = await demand(writing, 'org.delete', { org }, { stepUp: true })
    if (await writing.read.get('gateway', { org, state: ['claimed', 'disputed'] }))
      refuse('DIRECTORY_EXISTS', 'the organisation still owns gateways: release or hand them on first')
    // What it accepted is on its way at any moment: the gateway would cut and be nobody's.
    if (await writing.read.get('gateway_transfer', { to_org: org, state: ['accepted', 'settling'] }))
      refuse(
        'DIRECTORY_EXISTS',
        'the organisation has accepted a gateway that is still being transferred to it',
      )
    await writing.put('organisation', {
      ...{ ...organisation, visibility: 'private', state: 'deleted' },
      ended_at: writing.at,
    })
    return { organisation: org }
  },
})

/** What the whole organisation may use, and whether it may do anything at all: the platform's affair. */
export const govern = command({
  name: 'organisation.govern',
  input: z.strictObject({
    org: OrgId,
    quotas: Quotas.optional(),
    state: z.enum(['active', 'suspended']).optional(),
    billing: z.enum(['inApp', 'external']).optional(),
    billingZone: Timezone.optional(),
  }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, quotas, state, billing, billingZone }) {
    await demandOperator(writing)
    const organisation = await writing.read.get('organisation', { id: org, state: ['active', 'suspended'] })
    if (organisation === undefined) return notFound('organisation')
    await writing.put('organisation', {
      ...organisation,
      quotas: quotas === undefined ? organisation.quotas : JSON.stringify(quotas),
      state: state ?? organisation.state,
      billing: billing ?? organisation.billing,
      billing_zones: zonesAfter(organisation, billingZone, writing.at),
    })
    return { organisation: org }
  },
})

export const details = query({
  input: z.strictObject({ org: OrgId }),
  async run(asking, { org }) {
    const { organisation } = await demand(asking, 'org.read', { org })
    return described(organisation)
  },
})

/** Organisations that one may act for: memberships, and a partner's customers (S4.10). */
export const mine = query({
  input: z.strictObject({}),
  async run(asking) {
    const { id } = await ownAccount(asking)
    const memberships = await asking.read.find(
      'membership',
      { user: id, state: 'active' },
      { orderBy: ['org'] },
    )
    const own = await Promise.all(
      memberships.map(async ({ org, role }) => ({ row: await active(asking, org), role, through: null })),
    )
    const partners = own.flatMap(({ row, role }) =>
      row?.type === 'partner' ? [{ partner: row.id, role }] : [],
    )
    const links = await asking.read.find('management_link', {
      partner: partners.map(({ partner }) => partner),
      state: 'active',
    })
    const customers = await Promise.all(
      links
        .filter(({ expires_at }) => expires_at === null || expires_at > asking.at)
        .map(async ({ org, partner }) => ({ row: await active(asking, org), role: null, through: partner })),
    )
    return [...own, ...customers].flatMap(({ row, role, through }) =>
      row === undefined ? [] : [{ ...described(row), role, through }],
    )
  },
})

/** Public organisations by the first letters of their name: nothing before the third (S0.26). */
export const search = query({
  input: z.strictObject({ org: OrgId, name: z.string().max(128) }),
  async run(asking, { org, name }) {
    await demand(asking, 'crossorg.manage', { org })
    const prefix = foldName(name)
    if (Array.from(prefix).length < SEARCH_LETTERS_MIN) return []
    const known = await asking.read.find('cross_org_policy', { org, state: 'active' })
    const hidden = new Set([org, ...known.map(({ to_org }) => to_org)])
    const found = await asking.read.publicOrganisations(prefix, FOUND_MAX + hidden.size)
    return found
      .filter(({ id }) => !hidden.has(id))
      .slice(0, FOUND_MAX)
      .map(({ id, name }) => ({ id, name }))
  },
})

const active = (asking: Asking, org: string) => activeOrganisation(asking, org)

const described = ({
  id,
  name,
  type,
  visibility,
  preset,
  description,
  logo_url,
  billing_zones,
}: DirectoryRow<'organisation'>) => ({
  id,
  name,
  type,
  visibility,
  preset,
  description,
  logoUrl: logo_url,
  billingZones: JSON.parse(billing_zones) as ZoneFrom[],
})
