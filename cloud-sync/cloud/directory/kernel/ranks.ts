import type { Level, Role } from '../../../contract/index.ts'
import { refuse } from '../errors.ts'
import { OWNER_ROLES } from './presets.ts'

/** Ranks that are compared; a higher one may do all that a lower one may. */
const RANKS: Readonly<Record<Role, number>> = {
  observer: 0,
  member: 1,
  viewer: 2,
  editor: 3,
  admin: 4,
  owner: 5,
  installer: 2,
  'systems-admin': 2,
  'super-installer': 4,
  'customer-viewer': 1,
  'customer-operator': 2,
  'customer-manager': 3,
  'customer-owner': 5,
}
const LEVEL_RANKS: Readonly<Record<Level, number>> = { viewer: 0, editor: 1, owner: 2 }

export const isOwnerRole = (role: Role): boolean => OWNER_ROLES.includes(role)
export const lowerLevel = (a: Level, b: Level): Level => (LEVEL_RANKS[a] <= LEVEL_RANKS[b] ? a : b)
export const isAtMost = (level: Level, most: Level): boolean => LEVEL_RANKS[level] <= LEVEL_RANKS[most]

/** Nobody gives a role above their own (S1.16). */
export const mayGive = (own: Role, given: Role): boolean => isOwnerRole(own) || RANKS[given] <= RANKS[own]

export function assertMayGive(own: { readonly role: Role }, given: Role): void {
  if (!mayGive(own.role, given)) refuse('DIRECTORY_ABOVE_RANK', `${own.role} cannot give the role ${given}`)
}

/** Nobody changes a rank at or above the own one, owners excepted (decisions.md, ownership). */
export function assertMayChange(own: Role, present: Role): void {
  if (isOwnerRole(own)) return
  if (RANKS[present] >= RANKS[own]) refuse('DIRECTORY_ABOVE_RANK', `${own} cannot change the role ${present}`)
}
