import { POLICY_MAX } from '../../contract/index.ts'
import { POLICY_BYTES_MAX } from '../../codec/index.ts'
import { type Entry, type ListName, LISTS } from './lists.ts'
import type { PolicyContent } from './project.ts'
import { homesIn, RANK, type RankOf, ranksOf } from './ranks.ts'

/** Bytes of the facts as JSON; the rest of what may be sent is for version, times and whatever is added later. */
const CONTENT_BYTES_MAX = (POLICY_BYTES_MAX / 8) * 7

/** How many entries of each list were left out. */
export type LeftOut = Readonly<Partial<Record<ListName, number>>>
/** How many entries of each organisation were left out. */
export type LeftOutOf = Readonly<Record<string, number>>

/** What may be left out for want of bytes; a workspace without its limit would have none, a device another owner. */
const FOR_BYTES = ['items', 'grants', 'keys', 'teams', 'members'] as const satisfies readonly ListName[]
/**
 * The facts as far as they fit into one policy: a gateway whose facts are too many must still hear of what was taken
 * back. What is of the gateway's own organisation goes before what guests bring, and what a guest brings beyond its share
 * goes last: `RANK`. Within that what it was told before stays, as far as it is still so; what is left out shows nothing to
 * anybody.
 * @param told what the gateway was told last
 */
export function fitted(
  content: PolicyContent,
  told: () => Partial<PolicyContent> | undefined,
): { readonly content: PolicyContent; readonly leftOut: LeftOut; readonly leftOutOf: LeftOutOf } {
  if (fits(content)) return { content, leftOut: {}, leftOutOf: {} }
  const cut = new Cut(content, told())
  for (const list of LISTS) cut.keep(list, POLICY_MAX[list])
  for (const floor of FLOORS) cut.toBytes(floor)
  const counts = LISTS.map((list) => [list, content[list].length - cut.fit[list].length] as const)
  const leftOut = Object.fromEntries(counts.filter(([, count]) => count > 0))
  return { content: cut.fit, leftOut, leftOutOf: leftOutOf(content, cut.fit) }
}

function leftOutOf(content: PolicyContent, fit: PolicyContent): LeftOutOf {
  const homes = homesIn(content)
  const counts: Record<string, number> = {}
  for (const list of LISTS) {
    if (fit[list].length === content[list].length) continue
    const kept = new Set<Entry<ListName>>(fit[list])
    for (const entry of content[list] as readonly Entry<ListName>[]) {
      const home = homes(list, entry)
      if (!kept.has(entry)) counts[home] = (counts[home] ?? 0) + 1
    }
  }
  return counts
}

const fits = (content: PolicyContent): boolean =>
  LISTS.every((list) => content[list].length <= POLICY_MAX[list]) &&
  content.teams.every(({ members }) => members.length <= POLICY_MAX.teamMembers) &&
  bytesOf(content) <= CONTENT_BYTES_MAX

class Cut {
  readonly fit: PolicyContent
  readonly #ranks: ReadonlyMap<ListName, RankOf>

  constructor(content: PolicyContent, before: Partial<PolicyContent> | undefined) {
    this.fit = { ...content, teams: content.teams.map(withoutSurplus) }
    const ranks = ranksOf(content, before)
    this.#ranks = new Map(LISTS.map((list) => [list, ranks(list)]))
  }

  /** So many of a list, in the order in which they are listed. */
  keep(list: ListName, count: number): void {
    const entries: readonly Entry<ListName>[] = this.fit[list]
    if (entries.length <= count) return
    const rank = this.#rank(list)
    const kept = new Set(entries.toSorted((a, b) => rank(a) - rank(b)).slice(0, count))
    Object.assign(this.fit, { [list]: entries.filter((entry) => kept.has(entry)) })
  }

  /** Halves the longest list again and again, no further than to what ranks before `floor`. */
  toBytes(floor: number): void {
    const cuttable = new Set<ListName>(FOR_BYTES)
    while (bytesOf(this.fit) > CONTENT_BYTES_MAX) {
      const [largest] = [...cuttable].sort((a, b) => bytesOf(this.fit[b]) - bytesOf(this.fit[a]))
      if (largest === undefined) return
      const entries: readonly Entry<ListName>[] = this.fit[largest]
      const rank = this.#rank(largest)
      const least = entries.filter((entry) => rank(entry) < floor).length
      this.keep(largest, Math.max(least, Math.floor(entries.length / 2)))
      if (this.fit[largest].length === least) cuttable.delete(largest)
    }
  }

  #rank(list: ListName): RankOf {
    return this.#ranks.get(list) ?? (() => RANK.surplusNew)
  }
}

/** What is cut for want of bytes, one after the other: of each list no more than ranks behind. */
const FLOORS = [
  RANK.surplusTold,
  RANK.guestNew,
  RANK.ownNew,
  RANK.guestTold,
  RANK.ownPeople,
  RANK.leads,
] as const

const bytesOf = (value: object): number => Buffer.byteLength(JSON.stringify(value))

function withoutSurplus(team: Entry<'teams'>): Entry<'teams'> {
  const { members } = team
  return members.length <= POLICY_MAX.teamMembers
    ? team
    : { ...team, members: members.slice(0, POLICY_MAX.teamMembers) }
}
