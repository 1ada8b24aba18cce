import { z } from 'zod'
import {
  ApiKey,
  CrossPolicy,
  CustomRole,
  Grant,
  Member,
  Organisation,
  OwnedDevice,
  OwnedItem,
  PartnerLink,
  QuotaShare,
  Team,
  TeamMember,
  Workspace,
} from '../../contract/index.ts'
import { type Entry, type ListName, LISTS, nameIn } from './lists.ts'
import type { PolicyContent } from './project.ts'

/** What the contract takes of each list. How many people a team has is not asked here: the surplus is left out later. */
const ENTRIES: { readonly [N in ListName]: z.ZodType } = {
  organisations: Organisation,
  members: Member,
  keys: ApiKey,
  roles: CustomRole,
  teams: Team.extend({ members: z.array(TeamMember) }),
  workspaces: Workspace,
  devices: OwnedDevice,
  items: OwnedItem,
  grants: Grant,
  policies: CrossPolicy,
  links: PartnerLink,
  quotas: QuotaShare,
}
/** Names of damaged entries that are told of each list. */
const NAMED_MAX = 10

/** What entries of each list are called that no contract takes: the first of them. */
export type Damaged = Readonly<Partial<Record<ListName, readonly string[]>>>

/**
 * The facts without each entry that the contract refuses. One row of one organisation, however it came in, must keep no
 * gateway from hearing what another has taken back; what is left out shows nothing to anybody.
 */
export function soundOf(content: PolicyContent): {
  readonly content: PolicyContent
  readonly damaged: Damaged
} {
  const sound = { ...content }
  const damaged: Partial<Record<ListName, readonly string[]>> = {}
  for (const list of LISTS) {
    const entries: readonly Entry<ListName>[] = content[list]
    const taken = entries.filter((entry) => ENTRIES[list].safeParse(entry).success)
    if (taken.length === entries.length) continue
    const kept = new Set(taken)
    const refused = entries.filter((entry) => !kept.has(entry))
    damaged[list] = refused.slice(0, NAMED_MAX).map((entry) => nameIn(list, entry))
    Object.assign(sound, { [list]: taken })
  }
  return { content: sound, damaged }
}
