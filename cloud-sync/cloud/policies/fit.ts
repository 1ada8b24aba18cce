import { POLICY_MAX } from '../../contract/index.ts'
import { POLICY_BYTES_MAX } from '../../codec/index.ts'
import type { PolicyContent } from './project.ts'

/** Bytes of the facts as JSON; the rest of what may be sent is for version, times and whatever is added later. */
const CONTENT_BYTES_MAX = (POLICY_BYTES_MAX / 8) * 7

type Lists = Omit<PolicyContent, 'owner' | 'heard' | 'sensors'>
export type ListName = keyof Lists
export type Entry<N extends ListName> = Lists[N][number]

/** How many entries of each list were left out. */
export type LeftOut = Readonly<Partial<Record<ListName, number>>>

/** What an entry is called: the same one in two versions has the same name. */
const NAMES: { readonly [N in ListName]: (entry: Entry<N>) => string } = {
  organisations: ({ id }) => id,
  members: ({ org, name, incarnation }) => `${org}:${name}:${incarnation}`,
  keys: ({ org, name, hash }) => `${org}:${name}:${hash}`,
  roles: ({ org, id }) => `${org}:${id}`,
  teams: ({ org, handle }) => `${org}:${handle}`,
  workspaces: ({ id }) => id,
  devices: ({ id }) => id,
  items: ({ id }) => id,
  grants: ({ id }) => id,
  policies: ({ id }) => id,
  links: ({ id }) => id,
  quotas: ({ workspace, meter }) => `${workspace}:${meter}`,
}
export const nameIn = (list: ListName, entry: Entry<ListName>): string =>
  (NAMES[list] as (entry: Entry<ListName>) => string)(entry)
const LISTS = Object.keys(NAMES) as ListName[]
/** What may be left out for want of bytes; a workspace without its limit would have none, a device another owner. */
const FOR_BYTES = ['items', 'grants', 'keys', 'teams', 'members'] as const satisfies readonly ListName[]
const LEADS: ReadonlySet<string> = new Set(['owner', 'admin', 'customer-owner', 'customer-manager'])

/**
 * The facts as far as they fit into one policy: a gateway whose facts are too many must still hear of what was taken
 * back. What it was told before stays, as far as it is still so; of what is new the surplus is left out, which shows
 * nothing to anybody. Owners, the people who lead them and their keys come before everything else.
 * @param told what the gateway was told last
 */
export function fitted(
  content: PolicyContent,
  told: () => Partial<PolicyContent> | undefined,
): { readonly content: PolicyContent; readonly leftOut: LeftOut } {
  if (fits(content)) return { content, leftOut: {} }
  const cut = new Cut(content, told())
  for (const list of LISTS) cut.keep(list, POLICY_MAX[list])
  cut.toBytes(true)
  cut.toBytes(false)
  const counts = LISTS.map((list) => [list, content[list].length - cut.fit[list].length] as const)
  return { content: cut.fit, leftOut: Object.fromEntries(counts.filter(([, count]) => count > 0)) }
}

const fits = (content: PolicyContent): boolean =>
  LISTS.every((list) => content[list].length <= POLICY_MAX[list]) &&
  content.teams.every(({ members }) => members.length <= POLICY_MAX.teamMembers) &&
  bytesOf(content) <= CONTENT_BYTES_MAX

class Cut {
  readonly fit: PolicyContent
  readonly #ranks: ReadonlyMap<ListName, (entry: Entry<ListName>) => number>

  constructor(content: PolicyContent, before: Partial<PolicyContent> | undefined) {
    this.fit = { ...content, teams: content.teams.map(withoutSurplus) }
    this.#ranks = new Map(LISTS.map((list) => [list, rankOf(list, content, before)]))
  }

  /** So many of a list, in the order in which they are listed. */
  keep(list: ListName, count: number): void {
    const entries: readonly Entry<ListName>[] = this.fit[list]
    if (entries.length <= count) return
    const rank = this.#rank(list)
    const kept = new Set(entries.toSorted((a, b) => rank(a) - rank(b)).slice(0, count))
    Object.assign(this.fit, { [list]: entries.filter((entry) => kept.has(entry)) })
  }

  /** Halves the longest list again and again; `newOnly` = no further than to what was told before. */
  toBytes(newOnly: boolean): void {
    const cuttable = new Set<ListName>(FOR_BYTES)
    while (bytesOf(this.fit) > CONTENT_BYTES_MAX) {
      const [largest] = [...cuttable].sort((a, b) => bytesOf(this.fit[b]) - bytesOf(this.fit[a]))
      if (largest === undefined) return
      const entries: readonly Entry<ListName>[] = this.fit[largest]
      const rank = this.#rank(largest)
      const least = newOnly ? entries.filter((entry) => rank(entry) < NEW).length : 0
      this.keep(largest, Math.max(least, Math.floor(entries.length / 2)))
      if (this.fit[largest].length === least) cuttable.delete(largest)
    }
  }

  #rank(list: ListName): (entry: Entry<ListName>) => number {
    return this.#ranks.get(list) ?? (() => NEW)
  }
}

const bytesOf = (value: object): number => Buffer.byteLength(JSON.stringify(value))
const FIRST = 0
const KNOWN = 1
const NEW = 2

/** In which order entries stay; those of the same rank in the order in which they are listed. */
function rankOf(
  list: ListName,
  { owner, devices, members }: PolicyContent,
  before: Partial<PolicyContent> | undefined,
): (entry: Entry<ListName>) => number {
  const name = (entry: Entry<ListName>): string => nameIn(list, entry)
  const told = new Set((before?.[list] ?? []).map(name))
  const owners = new Set<string>([owner.org, ...devices.map(({ org }) => org)])
  const leads = new Set(
    members.flatMap(({ org, name: who, role }) =>
      org === owner.org && LEADS.has(role) ? [`${org}:${who}`] : [],
    ),
  )
  const isFirst = (entry: Entry<ListName>): boolean => {
    if (list === 'organisations') return owners.has((entry as Entry<'organisations'>).id)
    if (list === 'members') return leads.has(`${owner.org}:${(entry as Entry<'members'>).name}`)
    return list === 'keys' && leads.has(`${owner.org}:${(entry as Entry<'keys'>).member}`)
  }
  return (entry) => (isFirst(entry) ? FIRST : told.has(name(entry)) ? KNOWN : NEW)
}

function withoutSurplus(team: Entry<'teams'>): Entry<'teams'> {
  const { members } = team
  return members.length <= POLICY_MAX.teamMembers
    ? team
    : { ...team, members: members.slice(0, POLICY_MAX.teamMembers) }
}
