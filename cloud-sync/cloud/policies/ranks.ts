import { POLICY_MAX } from '../../contract/index.ts'
import type { PolicyContent } from './project.ts'
import { type Entry, type ListName, nameIn } from './lists.ts'

/** The part of each list that is the guests' where there is no room for all: each of them has an equal share of it. */
const GUESTS_PART = 1 / 2
const LEADS: ReadonlySet<string> = new Set(['owner', 'admin', 'customer-owner', 'customer-manager'])

/** Who somebody is, and by what they log in: of these the gateway's own organisation is never short. */
const PEOPLE: ReadonlySet<ListName> = new Set(['members', 'keys', 'teams', 'roles'])

/**
 * What goes first where not everything fits, from what goes last: who leads the gateway's organisation; its people and
 * what else of it was told before; what others were told, guests before those who are shown something; what is new; and
 * behind all of it what a guest brings beyond its share.
 */
export const RANK = {
  leads: 0,
  ownTold: 1,
  ownPeople: 2,
  guestTold: 3,
  othersTold: 4,
  ownNew: 5,
  guestNew: 6,
  othersNew: 7,
  surplusTold: 8,
  surplusNew: 9,
} as const
type Rank = (typeof RANK)[keyof typeof RANK]

/** In which order entries of a list stay; those of the same rank in the order in which they are listed. */
export type RankOf = (entry: Entry<ListName>) => Rank

/** @param before what the gateway was told last */
export function ranksOf(
  content: PolicyContent,
  before: Partial<PolicyContent> | undefined,
): (list: ListName) => RankOf {
  const homes = homesIn(content)
  const leads = leadsOf(content)
  const bringers = bringersIn(content, homes)
  return (list) => {
    const told = new Set((before?.[list] ?? []).map((entry) => nameIn(list, entry)))
    const isTold = (entry: Entry<ListName>): boolean => told.has(nameIn(list, entry))
    const ownNew = PEOPLE.has(list) ? RANK.ownPeople : RANK.ownNew
    const rankWithin: RankOf = (entry) => {
      const home = homes(list, entry)
      if (leads(list, entry)) return RANK.leads
      if (home === content.owner.org) return isTold(entry) ? RANK.ownTold : ownNew
      if (bringers.guests.has(home)) return isTold(entry) ? RANK.guestTold : RANK.guestNew
      return isTold(entry) ? RANK.othersTold : RANK.othersNew
    }
    const surplus = surplusOf(content[list], {
      rank: rankWithin,
      bringer: (entry) => bringers.of(homes(list, entry)),
      share: Math.floor((POLICY_MAX[list] * GUESTS_PART) / Math.max(1, bringers.guests.size)),
    })
    return (entry) => {
      if (!surplus.has(entry)) return rankWithin(entry)
      return isTold(entry) ? RANK.surplusTold : RANK.surplusNew
    }
  }
}

/** What each guest brings beyond its share, its own people before those to whom it shows something. */
function surplusOf(
  entries: readonly Entry<ListName>[],
  {
    rank,
    bringer,
    share,
  }: { rank: RankOf; bringer: (entry: Entry<ListName>) => string | null; share: number },
): ReadonlySet<Entry<ListName>> {
  const counts = new Map<string, number>()
  const surplus = new Set<Entry<ListName>>()
  // An organisation that is here as an owner is named whatever it brings.
  for (const entry of entries.toSorted((a, b) => rank(a) - rank(b))) {
    const guest = rank(entry) === RANK.leads ? null : bringer(entry)
    if (guest === null) continue
    const count = (counts.get(guest) ?? 0) + 1
    counts.set(guest, count)
    if (count > share) surplus.add(entry)
  }
  return surplus
}

/** Whose an entry is: a share is of whose the thing is. */
export function homesIn({ owner, devices, workspaces, items }: PolicyContent) {
  const things = new Map<string, string>([
    ...devices.map(({ id, org }) => [`device ${id}`, org] as const),
    ...workspaces.map(({ id, org }) => [`workspace ${id}`, org] as const),
    ...items.map(({ id, org }) => [`item ${id}`, org] as const),
  ])
  const home: { readonly [N in ListName]: (entry: Entry<N>) => string } = {
    organisations: ({ id }) => id,
    members: ({ org }) => org,
    keys: ({ org }) => org,
    roles: ({ org }) => org,
    teams: ({ org }) => org,
    workspaces: ({ org }) => org,
    devices: ({ org }) => org,
    items: ({ org }) => org,
    grants: ({ on }) => things.get(nameOfThing(on)) ?? owner.org,
    policies: ({ from }) => from,
    links: ({ customer }) => customer,
    quotas: ({ workspace }) => things.get(`workspace ${workspace}`) ?? owner.org,
  }
  return (list: ListName, entry: Entry<ListName>): string =>
    (home[list] as (entry: Entry<ListName>) => string)(entry)
}

function nameOfThing(on: Entry<'grants'>['on']): string {
  switch (on.kind) {
    case 'gateway':
      return on.kind
    case 'device':
    case 'sensor':
      return `device ${on.device}`
    case 'workspace':
      return `workspace ${on.workspace}`
    case 'item':
      return `item ${on.item}`
  }
}

/** By whom an organisation is here: null = by the gateway's own, whoever else brings it too. */
function bringersIn(
  content: PolicyContent,
  homes: (list: ListName, entry: Entry<ListName>) => string,
): { readonly guests: ReadonlySet<string>; readonly of: (org: string) => string | null } {
  const { owner, devices, grants, links } = content
  const guests = new Set<string>(devices.map(({ org }) => org).filter((org) => org !== owner.org))
  const bring = [
    ...grants.map((grant) => ({ org: grant.to.org, by: homes('grants', grant) })),
    ...links.map(({ partner, customer }) => ({ org: partner, by: customer })),
  ]
  const by = new Map<string, string | null>()
  for (const { org, by: bringer } of bring)
    if (bringer === owner.org) by.set(org, null)
    else if (!by.has(org)) by.set(org, bringer)
  // A guest is here by itself, also where the gateway's organisation shows it something.
  for (const guest of guests) by.set(guest, guest)
  by.set(owner.org, null)
  return { guests, of: (org) => by.get(org) ?? null }
}

/** Whoever must always get in: who leads the gateway's organisation, with their keys, and the names of all owners. */
function leadsOf({ owner, devices, members }: PolicyContent) {
  const owners = new Set<string>([owner.org, ...devices.map(({ org }) => org)])
  const leads = new Set(
    members.flatMap(({ org, name, role }) =>
      org === owner.org && LEADS.has(role) ? [`${org}:${name}`] : [],
    ),
  )
  return (list: ListName, entry: Entry<ListName>): boolean => {
    if (list === 'organisations') return owners.has((entry as Entry<'organisations'>).id)
    if (list === 'members') {
      const { org, name } = entry as Entry<'members'>
      return leads.has(`${org}:${name}`)
    }
    if (list !== 'keys') return false
    const { org, member } = entry as Entry<'keys'>
    return leads.has(`${org}:${member}`)
  }
}
