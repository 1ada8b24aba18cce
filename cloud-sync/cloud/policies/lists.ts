import type { PolicyContent } from './project.ts'

/** What a policy is made of and may be too much of. */
type Lists = Omit<PolicyContent, 'owner' | 'heard' | 'sensors'>
export type ListName = keyof Lists
export type Entry<N extends ListName> = Lists[N][number]

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
/** All of them. */
export const LISTS = Object.keys(NAMES) as ListName[]
