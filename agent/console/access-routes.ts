import type { Hono } from 'hono'
import { z } from 'zod'
import { type Decision, whoCan, why } from '../../cloud-sync/access/index.ts'
import {
  type Grant,
  MemberName,
  OrgId,
  type OwnedDevice,
  type PolicySnapshot,
  type Resource,
  Right,
} from '../../cloud-sync/contract/index.ts'
import { AgentError } from '../errors.ts'
import type { PolicyInForce } from '../policy/in-force.ts'
import type { Caller, CallerOf, Variables } from './caller.ts'
import { checked } from './problem.ts'
import { textOfGrantee, textOfThing, thingOf } from './things.ts'
import type { MemberFacts, ShareFacts, WhoFacts, WhyFacts } from './state.ts'

interface AccessParts {
  readonly inForce: PolicyInForce
  readonly callerOf: CallerOf
}

const Asked = z.strictObject({ right: Right, thing: z.string().max(200) })
const AskedWho = Asked.extend({ as: z.string().max(200).optional() })

/** Who may do what here: `GET /v1/members`, `/v1/shares`, `/v1/who-can`, `/v1/why`. */
export function accessRoutes(app: Hono<{ Variables: Variables }>, { inForce, callerOf }: AccessParts): void {
  app.get('/v1/members', (c) => c.json(membersFor(inForce, callerOf(c))))
  app.get('/v1/shares', (c) => c.json(sharesFor(inForce, callerOf(c))))
  app.get('/v1/who-can', (c) => {
    const { right, thing } = checked(Asked, c.req.query())
    return c.json(whoFor(inForce, callerOf(c), { action: right, resource: thingOf(thing) }))
  })
  app.get('/v1/why', (c) => {
    const { right, thing, as } = checked(AskedWho, c.req.query())
    return c.json(whyFor(inForce, callerOf(c), { action: right, resource: thingOf(thing), as }))
  })
}

const inForceOf = (inForce: PolicyInForce): PolicySnapshot => {
  if (inForce.snapshot !== undefined) return inForce.snapshot
  throw new AgentError('CONSOLE_NO_POLICY', 'this gateway has no policy yet')
}

/** Members of the caller's own organisation, as far as they may list them; of all of them for the machine's administrator. */
function membersFor(inForce: PolicyInForce, caller: Caller): MemberFacts[] {
  const { members } = inForceOf(inForce)
  const seen = members.filter((member) => {
    if (caller.kind === 'administrator') return true
    const { principal } = caller
    if (member.org !== principal.org) return false
    const resource = { kind: 'org', org: member.org } as const
    return inForce.decide({ principal, action: 'member.list', resource, about: { member: member.name } })
      .allowed
  })
  return seen.map(({ org, name, role, state }) => ({ organisation: org, name, role, state }))
}

/** Shares that the caller may end, or audit as an administrator of the owner. */
function sharesFor(inForce: PolicyInForce, caller: Caller): ShareFacts[] {
  const snapshot = inForceOf(inForce)
  const seen = snapshot.grants.filter((grant) => maySeeShare(inForce, caller, grant))
  return seen.map((grant) => ({
    id: grant.id,
    thing: textOfThing(grant.on),
    to: textOfGrantee(grant.to),
    level: grant.level,
    by: authorFor(caller, grant, ownerOf(snapshot, grant.on)),
    legacy: grant.legacy,
    expiresAt: grant.expiresAt,
  }))
}

/** Who gave a share; whoever did it for a third organisation, a partner above all, is shown as that one (S4.14). */
function authorFor(caller: Caller, { by }: Grant, owner: OrgId | undefined): string | null {
  if (by === null) return null
  const isForeign = caller.kind === 'member' && by.org !== caller.principal.org && by.org !== owner
  return isForeign ? by.org : `${by.org}:${by.name}`
}

function maySeeShare(inForce: PolicyInForce, caller: Caller, { id, on }: Grant): boolean {
  if (caller.kind === 'administrator') return true
  const { principal } = caller
  const about = { grant: id }
  return (
    inForce.decide({ principal, action: 'share.revoke', resource: on, about }).allowed ||
    mayAudit(inForce, caller, on)
  )
}

interface Question {
  readonly action: Right
  readonly resource: Resource
}

/** Everybody who may, by every way. For administrators of whose thing it is: others would learn of things and people. */
function whoFor(inForce: PolicyInForce, caller: Caller, question: Question): WhoFacts[] {
  inForceOf(inForce)
  if (!mayAudit(inForce, caller, question.resource))
    throw new AgentError(
      'CONSOLE_NOT_ALLOWED',
      'this needs audit.read in the organisation that owns the thing',
    )
  const people = whoCan({ ...question, when: inForce.when() }, inForce.compiled)
  return people.map(({ org, name, via }) => ({
    organisation: org,
    // Whoever works here through a partner is shown as their organisation (S4: customers see only that).
    name: isOutsider(caller, { org, via }) ? null : name,
    via,
  }))
}

const isOutsider = (caller: Caller, { org, via }: { org: OrgId; via: readonly string[] }): boolean =>
  caller.kind === 'member' && caller.principal.org !== org && !via.some((path) => path.startsWith('grant:'))

/** Why somebody may or may not: for oneself the answer, for an administrator of the owner all that was looked at. */
function whyFor(
  inForce: PolicyInForce,
  caller: Caller,
  { action, resource, as }: Question & { as: string | undefined },
): WhyFacts {
  const principal = as === undefined ? ownOf(caller) : principalOf(as)
  const isOwn =
    caller.kind === 'member' &&
    principal.org === caller.principal.org &&
    principal.name === caller.principal.name
  const audits = mayAudit(inForce, caller, resource)
  if (!isOwn && !audits)
    throw new AgentError(
      'CONSOLE_NOT_ALLOWED',
      'this needs audit.read in the organisation that owns the thing',
    )
  const judged = why({ principal, action, resource, when: inForce.when() }, inForce.compiled)
  const via = judged.paths.map((path) => path.via)
  // Who works here through a partner only has no name here, so that none is found out by asking.
  const { decision, paths } = isOutsider(caller, { org: principal.org, via }) ? NOT_KNOWN : judged
  return {
    organisation: principal.org,
    name: principal.name,
    ...answered(decision),
    policy: inForce.snapshot?.version ?? 0,
    paths: audits ? paths.map(({ via, against }) => ({ via, against })) : [],
  }
}

const NOT_KNOWN: ReturnType<typeof why> = {
  decision: { allowed: false, because: 'unknown-principal' },
  paths: [],
}

const answered = (decision: Decision): Pick<WhyFacts, 'allowed' | 'because' | 'via'> =>
  decision.allowed
    ? { allowed: true, because: null, via: decision.via }
    : { allowed: false, because: decision.because, via: [] }

function ownOf(caller: Caller): { org: OrgId; name: MemberName } {
  if (caller.kind === 'member') return caller.principal
  throw new AgentError('CONSOLE_REQUEST_INVALID', 'as: name somebody as organisation:name')
}

function principalOf(text: string): { org: OrgId; name: MemberName } {
  const [org, name, ...more] = text.split(':')
  const who = checked(z.strictObject({ org: OrgId, name: MemberName }), { org, name })
  if (more.length > 0) throw new AgentError('CONSOLE_REQUEST_INVALID', 'as: organisation:name')
  return who
}

function mayAudit(inForce: PolicyInForce, caller: Caller, resource: Resource): boolean {
  if (caller.kind === 'administrator') return true
  const org = ownerOf(inForce.snapshot, resource)
  if (org !== caller.principal.org) return false
  return inForce.decide({ principal: caller.principal, action: 'audit.read', resource: { kind: 'org', org } })
    .allowed
}

/** Whose a thing is; undefined where there is none. */
export function ownerOf(snapshot: PolicySnapshot | undefined, resource: Resource): OrgId | undefined {
  if (snapshot === undefined) return undefined
  switch (resource.kind) {
    case 'org':
      return resource.org
    case 'gateway':
      return snapshot.owner.org
    case 'workspace':
      return snapshot.workspaces.find(({ id }) => id === resource.workspace)?.org
    case 'item':
      return snapshot.items.find(({ id }) => id === resource.item)?.org
    case 'device':
    case 'sensor':
      return deviceOf(snapshot, resource.device)?.org
  }
}

const deviceOf = ({ devices }: PolicySnapshot, device: string): OwnedDevice | undefined =>
  devices.find(({ id }) => id === device)
