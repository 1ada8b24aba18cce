import { PRESET_PACKS } from '../../../access/index.ts'
import type { Role } from '../../../contract/index.ts'
import type { DirectoryRow } from '../../storage/index.ts'
import { refuse } from '../errors.ts'

type Speaking = Pick<DirectoryRow<'organisation'>, 'preset' | 'type'>

const OF_PARTNERS: readonly Role[] = ['installer', 'systems-admin', 'super-installer', 'admin', 'owner']
const OF_CUSTOMERS: readonly Role[] = [
  // Sees only the systems that they have a level in: who came from an older product (S4.17).
  'member',
  'customer-viewer',
  'customer-operator',
  'customer-manager',
  'customer-owner',
]

/** What an organisation's vocabulary demands of membership. */
export const packOf = ({ preset }: Speaking) => PRESET_PACKS[preset]

/** The roles that can be given in an organisation: a partner's, a customer's, or those of its vocabulary. */
export function rolesOf(organisation: Speaking): readonly Role[] {
  if (organisation.type === 'partner') return OF_PARTNERS
  if (organisation.type === 'customer') return OF_CUSTOMERS
  const named = Object.values(packOf(organisation).roles)
  return [
    ...named.flatMap((meaning) => (meaning.on === 'organisation' ? [meaning.role] : [])),
    'member',
    'owner',
  ]
}

/** What an invitation gives where nobody chose: what sees the least. */
export const leastRole = ({ type }: Speaking): Role =>
  type === 'customer' ? 'customer-viewer' : type === 'partner' ? 'installer' : 'member'

export const OWNER_ROLES: readonly Role[] = ['owner', 'customer-owner']
export const isOwnerRole = (role: Role): boolean => OWNER_ROLES.includes(role)

/** Throws DIRECTORY_PRESET_FORBIDS where people are managed in the organisation alone (S4.12). */
export function assertWorkspacePeople(organisation: Speaking): void {
  if (packOf(organisation).membersInOrganisationOnly)
    refuse('DIRECTORY_PRESET_FORBIDS', 'people are managed in the organisation here, not in its systems')
}
