import type { Grant } from '../contract/index.ts'
import type { Ask, Objection } from './ask.ts'
import type { Cell, Column } from './matrix.ts'
import { isOwner } from './ranks.ts'

type Condition = (ask: Ask, as: 'path' | 'cap') => Objection

/** What each letter asks for. `g` gives nothing by itself; as a cap it lets pass what was granted. */
const CONDITIONS: Readonly<Record<Cell, Condition>> = {
  Y: () => undefined,
  '^': () => undefined,
  '.': () => 'role',
  '-': () => 'role',
  g: (_, as) => (as === 'cap' ? undefined : 'role'),
  s: (ask) => (isOwn(ask) ? undefined : 'own-only'),
  o: ({ about, subject }) => (about.member === subject.member.name ? undefined : 'own-only'),
  B: ({ subject }) => (subject.member.billing ? undefined : 'no-billing'),
  a: ({ policy, thing }) =>
    policy.subjects.organisations.get(thing.org)?.preset === 'akenza' ? undefined : 'role',
  t: ({ about }) => (about.ticket === true ? undefined : 'no-ticket'),
  r: ({ about }) => (about.scope === 'read' ? undefined : 'read-only'),
  L: (ask) => (isLastOwner(ask) ? 'last-owner' : undefined),
}

/** What the cell of this column has against the question; `^` is judged by rank, in `escalation`. */
export const cellObjection = (ask: Ask, column: Column, as: 'path' | 'cap'): Objection =>
  CONDITIONS[ask.rule.cells[column] ?? '.'](ask, as)

/** One's own entry in a list of members; a grant to oneself or by oneself. */
function isOwn({ rule, about, subject, policy }: Ask): boolean {
  const { org, name, incarnation } = subject.member
  if (rule.right !== 'share.revoke') return about.member === name
  const grant: Grant | undefined = about.grant === undefined ? undefined : policy.grant(about.grant)
  if (grant === undefined) return false
  const isMe = (who: Grant['by']): boolean =>
    who?.org === org && who.name === name && who.incarnation === incarnation
  return isMe(grant.by) || (grant.to.kind === 'member' && isMe(grant.to))
}

function isLastOwner({ subject, policy }: Ask): boolean {
  const { org, role } = subject.member
  return isOwner(role) && policy.ownersOf(org) <= 1
}
