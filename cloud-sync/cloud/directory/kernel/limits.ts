import { POLICY_MAX, TEAM_MEMBERS_MAX } from '../../../contract/index.ts'
import { refuse } from '../errors.ts'
import type { Standing } from './authority.ts'
import type { Asking } from './write.ts'

/**
 * How much of everything there may be. What a gateway has to know is bounded by its policy (`POLICY_MAX`): each of these
 * is small enough that one organisation alone never outgrows that.
 */
export const MAX = {
  devicesOnGateway: POLICY_MAX.devices,
  membersOfOrganisation: POLICY_MAX.members / 2,
  teamsOfOrganisation: POLICY_MAX.teams / 2,
  peopleOfTeam: TEAM_MEMBERS_MAX,
  /** Besides the one API key that every member may have. */
  tokensOfOrganisation: 4_000,
  viewsOfOrganisation: 10_000,
  alertsOfOrganisation: 10_000,
  sharesOfOrganisation: POLICY_MAX.grants / 2,
  /** A share is some 250 bytes of the 4 MiB that a policy has. */
  sharesOnGateway: 5_000,
  /** Of a guest, of its own devices there: the gateway's owner never goes short by it. */
  sharesOfGuestOnGateway: 500,
  sharedWithOrganisations: POLICY_MAX.organisations / 2,
  partnersOfOrganisation: 100,
} as const

/** What one person who does not lead the organisation may have of what all share. */
export const MAX_EACH = { views: 500, alerts: 1_000, shares: 1_000 } as const
/** The part of a gateway that only who leads its organisation fills: nobody else uses up the last of it. */
const KEPT_FOR_LEADS = 1 / 10

const LEADS: ReadonlySet<string> = new Set([
  'owner',
  'admin',
  'customer-owner',
  'customer-manager',
  'super-installer',
])

/** Whether somebody leads the organisation in which they act, as its member or through a link. */
const leads = ({ role, actingOrg, organisation, link }: Standing): boolean =>
  LEADS.has(role) && (link !== null || actingOrg === organisation.id)

/** For one more. `each` = what there is of the same person's; throws DIRECTORY_LIMIT. */
export function assertRoom(what: string, { count, max }: { count: number; max: number }): void {
  if (count >= max) refuse('DIRECTORY_LIMIT', `${max} ${what} at most`)
}

/** The same where those who do not lead have no more than a part of it. */
export function assertRoomFor(
  own: Standing,
  what: string,
  { count, max }: { count: number; max: number },
): void {
  assertRoom(what, { count, max: leads(own) ? max : Math.floor(max * (1 - KEPT_FOR_LEADS)) })
}

type Owned = 'saved_view' | 'alert_rule'

/** For one more view or alert of this person: a bound for all of the organisation, and one for each. */
export async function assertRoomForItem(
  { read }: Pick<Asking, 'read'>,
  own: Standing,
  table: Owned,
): Promise<void> {
  const org = own.organisation.id
  const [what, max, each] =
    table === 'saved_view'
      ? (['views', MAX.viewsOfOrganisation, MAX_EACH.views] as const)
      : (['alerts', MAX.alertsOfOrganisation, MAX_EACH.alerts] as const)
  assertRoomFor(own, what, { count: await read.count(table, { org, state: 'active' }), max })
  const mine = { org, owner: own.user, owner_org: own.actingOrg, state: 'active' } as const
  if (!leads(own)) assertRoom(`${what} of one person`, { count: await read.count(table, mine), max: each })
}

const SHARES = { state: ['live', 'legacy'] } as const

/** For one more share of something: in the organisation, on its gateway, and of one person. */
export async function assertRoomForShare(
  { read }: Pick<Asking, 'read'>,
  own: Standing,
  { kind, resource }: { readonly kind: string; readonly resource: string },
): Promise<void> {
  const org = own.organisation.id
  const count = await read.count('grant', { org, ...SHARES })
  assertRoomFor(own, 'shares', { count, max: MAX.sharesOfOrganisation })
  const given = { org, granted_by: own.user, granted_by_org: own.actingOrg, ...SHARES }
  if (!leads(own))
    assertRoom('shares of one person', { count: await read.count('grant', given), max: MAX_EACH.shares })
  if (kind === 'view' || kind === 'alert' || kind === 'workspace') return
  const [gateway = ''] = resource.split('/')
  const { count: here, max } = await sharesOn(read, gateway, org)
  assertRoomFor(own, 'shares on one gateway', { count: here, max })
}

/** How many shares of its own things an organisation has on a gateway, and may have there. */
export async function sharesOn(
  read: Asking['read'],
  gateway: string,
  org: string,
): Promise<{ count: number; max: number }> {
  const owner = await read.get('gateway', { id: gateway })
  const max = owner?.org === org ? MAX.sharesOnGateway : MAX.sharesOfGuestOnGateway
  return { count: await read.countGrantsOn(gateway, org), max }
}
