import type { MemberName, OrgId } from '../contract/index.ts'
import type { CompiledPolicy } from './compile.ts'
import { decide, gatewayObjection, judge, type Judgement, refused } from './decide.ts'
import { RULES } from './matrix.ts'
import type { Question } from './question.ts'

export interface Someone {
  readonly org: OrgId
  readonly name: MemberName
  /** Every path, as in the decision. */
  readonly via: readonly string[]
}

/** Everybody who may, with all paths: what an administrator asks before taking one away (edge case 8). Members, not keys. */
export function whoCan(
  { action, resource, when }: Pick<Question, 'action' | 'resource' | 'when'>,
  policy: CompiledPolicy | undefined,
): Someone[] {
  if (policy === undefined || gatewayObjection(policy, { action }) !== undefined) return []
  const thing = policy.things.find(resource)
  if (thing === undefined) return []
  const rule = RULES.get(action)
  if (rule === undefined) return []
  return policy.subjects.members.flatMap((subject): Someone[] => {
    const { decision } = judge({ policy, subject, thing, rule, when, about: { stepUp: true } })
    const { org, name } = subject.member
    return decision.allowed ? [{ org, name, via: decision.via }] : []
  })
}

/**
 * The decision with every path that was looked at and what stands against each. It tells of things that the asker may
 * not know of: for administrators of the owner only.
 */
export function why(question: Question, policy: CompiledPolicy | undefined): Judgement {
  const decision = decide(question, policy)
  const { principal, resource, action, when, about = {} } = question
  const subject = policy?.subjects.find(principal.org, principal.name)
  const thing = policy?.things.find(resource)
  const rule = RULES.get(action)
  if (policy === undefined || subject === undefined || thing === undefined || rule === undefined)
    return { decision, paths: [] }
  const because = gatewayObjection(policy, question)
  if (because !== undefined) return { decision: refused(because), paths: [] }
  return judge({ policy, subject, thing, rule, when, about })
}
