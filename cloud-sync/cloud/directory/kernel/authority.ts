import { type About, compilePolicy, decide, type Refusal } from '../../../access/index.ts'
import type { MemberName, OrgId, Resource, Right, Role } from '../../../contract/index.ts'
import type { DirectoryRow } from '../../storage/index.ts'
import { type DirectoryErrorCode, DirectoryRefusal, notFound, refuse } from '../errors.ts'
import { resourceFact } from './facts.ts'
import { COUNTS_OWNERS, gather, type Target } from './gather.ts'
import type { Asking } from './write.ts'

/** As what somebody acts in an organisation: as its member, or as a partner's through a link. */
export interface Standing {
  readonly user: string
  /** The organisation for which they act, their role and membership there. */
  readonly actingOrg: string
  readonly role: Role
  readonly incarnation: number
  /** The organisation in which they act. */
  readonly organisation: DirectoryRow<'organisation'>
  /** The link that leads there; null = their own organisation, or a thing that is shared with them. */
  readonly link: DirectoryRow<'management_link'> | null
}

/** Who asks, when, and of what facts. */
export type Knowing = Pick<Asking, 'read' | 'actor' | 'at'>

/** What it is about besides the target, in plain names. */
export type Matter = Omit<About, 'member' | 'grant'> & { readonly member?: string; readonly grant?: string }

/**
 * Asks the access model whether the actor may; throws DIRECTORY_NOT_FOUND outside the fence and inside it what stands
 * against it. The directory adds nothing to the model: what it decides alone is only whether names are free.
 */
export async function demand(
  asking: Knowing,
  right: Right,
  target: Target,
  matter: Matter = {},
): Promise<Standing> {
  const { actor, read, at } = asking
  if (actor.kind !== 'user' || actor.org === null) return outside(target)
  const asker = { user: actor.user, org: actor.org, scope: actor.scope }
  const gathered = await gather(read, { asker, right, target, concerned: matter })
  if (gathered === undefined) return outside(target)
  const [policy, resource] = [compilePolicy(gathered.facts), resourceOf(target)]
  // Whose it is, is not for the asker to say: what is written is written in that organisation.
  if (policy.things.find(resource)?.org !== target.org) return outside(target)
  const decision = decide(
    {
      principal: { org: actor.org as OrgId, name: actor.user as MemberName },
      action: right,
      resource,
      when: { place: 'cloud', at },
      about: matter as About,
    },
    policy,
  )
  if (!decision.allowed) return against(decision.because, right, target)
  const { member, organisation, link } = gathered
  const { role, incarnation } = member
  return { user: actor.user, actingOrg: actor.org, role, incarnation, organisation, link }
}

/** Those of these rights that the actor has there, password given: one look at the facts answers for all of them. */
export async function rightsHad(
  { actor, read, at }: Knowing,
  rights: readonly Right[],
  target: Target,
): Promise<ReadonlySet<Right>> {
  if (actor.kind !== 'user' || actor.org === null) return new Set()
  const asker = { user: actor.user, org: actor.org, scope: actor.scope }
  // One that counts owners brings their facts along; they change no other answer.
  const right = rights.find((one) => COUNTS_OWNERS.has(one)) ?? rights[0]
  const gathered =
    right === undefined ? undefined : await gather(read, { asker, right, target, concerned: {} })
  if (gathered === undefined) return new Set()
  const [policy, resource] = [compilePolicy(gathered.facts), resourceOf(target)]
  if (policy.things.find(resource)?.org !== target.org) return new Set()
  const principal = { org: actor.org as OrgId, name: actor.user as MemberName }
  const asked = { principal, resource, when: { place: 'cloud', at }, about: { stepUp: true } } as const
  return new Set(rights.filter((action) => decide({ ...asked, action }, policy).allowed))
}

/** Whether it is allowed, where a question shows less instead of refusing. */
export async function may(
  asking: Knowing,
  right: Right,
  target: Target,
  matter: Matter = {},
): Promise<boolean> {
  try {
    await demand(asking, right, target, matter)
    return true
  } catch (error) {
    if (error instanceof DirectoryRefusal) return false
    throw error
  }
}

/** The platform's own rights belong to no role of any organisation. */
export async function demandOperator({ actor, read }: Pick<Asking, 'actor' | 'read'>): Promise<void> {
  if (actor.kind === 'operator') return
  const isOperator =
    actor.kind === 'user' &&
    (await read.get('platform_operator', { user: actor.user, state: 'active' })) !== undefined
  if (!isOperator) refuse('DIRECTORY_FORBIDDEN', 'only the operator of the platform may')
}

/** An organisation that may act and be seen; undefined where it is suspended, deleted or never was. */
export const activeOrganisation = (
  { read }: Pick<Asking, 'read'>,
  org: string,
): Promise<DirectoryRow<'organisation'> | undefined> => read.get('organisation', { id: org, state: 'active' })

function resourceOf({ org, workspace, thing }: Target): Resource {
  if (workspace !== undefined) return resourceFact('workspace', workspace)
  return thing === undefined ? { kind: 'org', org: org as OrgId } : resourceFact(thing.kind, thing.resource)
}

const outside = ({ workspace, thing }: Target): never =>
  notFound(workspace === undefined ? (thing?.kind ?? 'organisation') : 'workspace')

/** What the model answers, in the directory's words. Everything that is not named here is a role that lacks the right. */
const WORDS: Partial<Readonly<Record<Refusal, readonly [DirectoryErrorCode, string]>>> = {
  'key-expired': ['DIRECTORY_SIGNED_OUT', 'the key has expired'],
  lacking: ['DIRECTORY_ABOVE_RANK', 'nobody gives a right that they lack themselves'],
  rank: ['DIRECTORY_ABOVE_RANK', 'nobody gives a rank above their own or changes one at or above it'],
  'last-owner': ['DIRECTORY_LAST_OWNER', 'the organisation would have no owner'],
  'unknown-member': ['DIRECTORY_NOT_FOUND', 'there is no such member'],
  'invitee-pending': ['DIRECTORY_INVITEE_PENDING', 'the invitation has not been accepted yet'],
  'no-cross-policy': ['DIRECTORY_NO_POLICY', 'no policy leads from the owner to that organisation'],
  'capped-policy': ['DIRECTORY_NO_POLICY', 'the policy to that organisation allows less'],
  'step-up': ['DIRECTORY_PASSWORD_WRONG', 'the password is needed for this'],
}
/** Where somebody stands outside, suspended or not: one answer. */
const OUTSIDE: ReadonlySet<Refusal> = new Set([
  'no-policy',
  'unknown-principal',
  'unknown-resource',
  'not-joined',
  'suspended',
  'organisation-suspended',
  'expired',
])

function against(because: Refusal, right: Right, target: Target): never {
  if (OUTSIDE.has(because)) return outside(target)
  const [code, sentence] = WORDS[because] ?? ['DIRECTORY_FORBIDDEN', `this needs ${right} (${because})`]
  return refuse(code, sentence)
}
