import type { Level, Right, Role } from '../../../contract/index.ts'
import type { DirectoryRow } from '../../storage/index.ts'
import { DirectoryRefusal, notFound, refuse } from '../errors.ts'
import { isOwnerRole } from './ranks.ts'
import type { Asking } from './write.ts'

/** As what somebody acts in an organisation: as its member, or as a partner's through a link. */
export interface Standing {
  readonly user: string
  /** The organisation for which they act. */
  readonly actingOrg: string
  readonly role: Role
  readonly billing: boolean
  readonly incarnation: number
  /** The organisation in which they act. */
  readonly organisation: DirectoryRow<'organisation'>
  /** The link that leads there; null = their own organisation. */
  readonly link: DirectoryRow<'management_link'> | null
  /** What they are in the workspace asked about, where only that made it allowed; null = the role did. */
  readonly level: Level | null
}

/** What is to be done to: the organisation itself, or one of its workspaces. */
export interface Target {
  readonly org: string
  readonly workspace?: string | undefined
}

/** Who may do it; throws DIRECTORY_NOT_FOUND outside the fence and DIRECTORY_FORBIDDEN inside it. */
export async function demand(asking: Asking, right: Right, target: Target): Promise<Standing> {
  const standing = await standingIn(asking, target.org)
  if (standing === undefined) return notFound('organisation')
  if (!allows(standing, right)) refuse('DIRECTORY_FORBIDDEN', `${standing.role} may not ${right}`)
  return standing
}

/** Whether it is allowed, where a question shows less instead of refusing. */
export async function may(asking: Asking, right: Right, target: Target): Promise<boolean> {
  return demand(asking, right, target).then(
    () => true,
    (error: unknown) => {
      if (error instanceof DirectoryRefusal) return false
      throw error
    },
  )
}

/** The platform's own rights belong to no role of any organisation. */
export async function demandOperator({ actor, read }: Asking): Promise<void> {
  if (actor.kind === 'operator') return
  if (actor.kind === 'user' && (await read.get('platform_operator', { user: actor.user, state: 'active' })))
    return
  refuse('DIRECTORY_FORBIDDEN', 'only the operator of the platform may')
}

/** An organisation that may act and be seen; undefined where it is suspended, deleted or never was. */
export const activeOrganisation = (
  { read }: Asking,
  org: string,
): Promise<DirectoryRow<'organisation'> | undefined> => read.get('organisation', { id: org, state: 'active' })

/** Undefined where the actor is outside the organisation's fence: nobody learns whether it exists. */
export async function standingIn(asking: Asking, org: string): Promise<Standing | undefined> {
  const { actor, read, at } = asking
  if (actor.kind !== 'user' || actor.org === null) return undefined
  const user = await read.get('user', { id: actor.user, state: 'active' })
  const member = await read.get('membership', { org: actor.org, user: actor.user, state: 'active' })
  const organisation = await activeOrganisation(asking, org)
  if (user === undefined || member === undefined || organisation === undefined) return undefined
  const { role, billing, incarnation } = member
  const standing = {
    user: actor.user,
    actingOrg: actor.org,
    role,
    billing: billing === 1,
    incarnation,
    organisation,
  }
  if (actor.org === org) return { ...standing, link: null, level: null }
  if ((await activeOrganisation(asking, actor.org)) === undefined) return undefined
  const link = await read.get('management_link', { org, partner: actor.org, state: 'active' })
  if (link === undefined || (link.expires_at !== null && link.expires_at <= at)) return undefined
  return { ...standing, link, level: null }
}

const INTERIM: readonly Right[] = ['org.read', 'self.leave', 'token.self', 'alert.self']
function allows({ role }: Standing, right: Right): boolean {
  if (isOwnerRole(role)) return true
  if (INTERIM.includes(right)) return true
  return role === 'admin' && !['org.delete', 'org.transferOwner', 'billing.manage'].includes(right)
}
