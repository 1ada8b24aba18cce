import { type Level, LEVELS, type Role, ROLES } from '../contract/index.ts'

/** Who stands above whom. Nobody changes a rank at or above the own one, owners excepted. */
export const RANKS: Readonly<Record<Role, number>> = {
  owner: 6,
  'customer-owner': 6,
  admin: 5,
  'super-installer': 5,
  editor: 4,
  'systems-admin': 4,
  'customer-manager': 4,
  viewer: 3,
  installer: 3,
  'customer-operator': 3,
  member: 2,
  observer: 1,
  'customer-viewer': 1,
}

export const isOwner = (role: Role): boolean => role === 'owner' || role === 'customer-owner'

/** Roles that cap whatever else their bearer was given: they stay with reading (S2.14). */
export const isCapped = (role: Role): boolean => role === 'observer' || role === 'customer-viewer'

/** As what a role counts where it gives levels away. */
export function levelOfRole(role: Role): Level {
  if (RANKS[role] >= RANKS.admin) return 'owner'
  return RANKS[role] >= RANKS.editor || role === 'installer' ? 'editor' : 'viewer'
}

/** Negative where `a` is below `b`. */
export const compareLevels = (a: Level, b: Level): number => LEVELS.indexOf(b) - LEVELS.indexOf(a)
export const lowerLevel = (a: Level, b: Level): Level => (compareLevels(a, b) <= 0 ? a : b)

/** A total order: roles of one rank stand in the order of the list. */
export const compareRoles = (a: Role, b: Role): number =>
  RANKS[a] - RANKS[b] || ROLES.indexOf(b) - ROLES.indexOf(a)
export const lowerRole = (a: Role, b: Role): Role => (compareRoles(a, b) <= 0 ? a : b)

/** As what a partner's member works in a customer's organisation; undefined = through no link at all. */
export const roleThroughLink = (role: Role): Role | undefined => THROUGH_LINKS[role]

const THROUGH_LINKS: Partial<Readonly<Record<Role, Role>>> = {
  owner: 'super-installer',
  admin: 'super-installer',
  'super-installer': 'super-installer',
  'systems-admin': 'systems-admin',
  installer: 'installer',
}
