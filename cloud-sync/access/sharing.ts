import type { Grantee } from '../contract/index.ts'
import type { Ask, Objection } from './ask.ts'
import { compareLevels } from './ranks.ts'

/** What stands against giving to this one, when the right to give is there. */
export function sharingObjection(ask: Ask): Objection {
  const { rule, about, policy, thing, when } = ask
  if (rule.right !== 'share.grant') return undefined
  if (policy.facts.owner?.claim === 'provisional') return 'provisional'
  if (when.place === 'gateway' && about.level !== undefined && about.level !== 'viewer') {
    return 'viewer-only-here'
  }
  const { to, level } = about
  if (to === undefined) return undefined
  // First whether there may be sharing at all, so that nobody learns who is a member of a strange organisation.
  if (to.org !== thing.org) {
    const crossings = policy.crossings(thing.org, to.org)
    if (crossings.length === 0) return 'no-cross-policy'
    if (level !== undefined && crossings.every((one) => compareLevels(level, one.maxLevel) > 0)) {
      return 'capped-policy'
    }
  }
  return granteeObjection(ask, to)
}

function granteeObjection({ policy }: Ask, to: Grantee): Objection {
  switch (to.kind) {
    case 'org':
      return policy.subjects.organisations.has(to.org) ? undefined : 'unknown-member'
    case 'team':
      return policy.facts.teams.some(({ org, handle }) => org === to.org && handle === to.team)
        ? undefined
        : 'unknown-member'
    case 'member': {
      const found = policy.subjects.members.find(
        ({ member }) =>
          member.org === to.org && member.name === to.name && member.incarnation === to.incarnation,
      )
      if (found?.member.state === 'invited') return 'invitee-pending'
      return found?.member.state === 'active' ? undefined : 'unknown-member'
    }
  }
}
