import type { Level, Right } from '../contract/index.ts'
import type { Ask, Objection } from './ask.ts'
import { isFirstOwner, levelOn } from './giving.ts'
import { compareLevels, isOwner, levelOfRole, RANKS } from './ranks.ts'
import type { Path } from './subjects.ts'

type Check = (ask: Ask, path: Path) => Objection

const CHECKS: Partial<Readonly<Record<Right, Check>>> = {
  'member.invite': givesTooMuch,
  'member.role': (ask, path) => givesTooMuch(ask, path) ?? changesTooMuch(ask, path),
  'member.remove': changesTooMuch,
  'share.grant': ({ about }, path) => levelTooHigh(about.level, path),
  'share.revoke': revokesTooMuch,
  'token.revokeAny': endsTooMuch,
}

/**
 * Nobody gives a rank above their own, nobody changes one at or above it, owners excepted, and no organisation loses its
 * last owner. Whether they have the rights that they give is asked in `giving`.
 */
export const escalation: Check = (ask, path) => CHECKS[ask.rule.right]?.(ask, path)

function givesTooMuch(ask: Ask, path: Path): Objection {
  const { role, level } = ask.about
  const tooHigh = levelTooHigh(level, path)
  if (tooHigh !== undefined || role === undefined) return tooHigh
  if (path.role === null) return 'rank'
  if (isOwner(path.role) || RANKS[role] <= RANKS[path.role]) return undefined
  return isFirstOwner(ask) ? undefined : 'rank'
}

function changesTooMuch(ask: Ask, path: Path): Objection {
  const { about, thing, policy } = ask
  if (about.member === undefined) return undefined
  const target = policy.subjects.members.find(
    ({ member }) => member.org === thing.org && member.name === about.member,
  )
  if (target === undefined) return 'unknown-member'
  if (thing.kind === 'workspace') return levelTooHigh(levelOn(ask, target.member.name), path, 'strictly')
  const { role } = target.member
  if (path.role === null) return 'rank'
  const owners = isOwner(role) ? ownersObjection(ask) : undefined
  return owners ?? (isOwner(path.role) || RANKS[role] < RANKS[path.role] ? undefined : 'rank')
}

function ownersObjection({ about, thing, policy, when }: Ask): Objection {
  // Two owners could each remove the other while apart: only the cloud sees both.
  if (when.place === 'gateway') return 'cloud-only'
  const staysOwner = about.role !== undefined && isOwner(about.role)
  return !staysOwner && policy.ownersOf(thing.org) <= 1 ? 'last-owner' : undefined
}

/** Whose key it is: one's own always, and of those below. Of who is not there any more a key opens nothing anyway. */
function endsTooMuch({ about, thing, policy, subject }: Ask, path: Path): Objection {
  const { member } = about
  if (member === undefined || (member === subject.member.name && thing.org === subject.member.org))
    return undefined
  const bearer = policy.subjects.members.find(
    (one) => one.member.org === thing.org && one.member.name === member,
  )
  if (bearer === undefined) return undefined
  if (path.role === null) return 'rank'
  return isOwner(path.role) || RANKS[bearer.member.role] < RANKS[path.role] ? undefined : 'rank'
}

function revokesTooMuch({ about, policy, rule }: Ask, path: Path): Objection {
  const grant = about.grant === undefined ? undefined : policy.grant(about.grant)
  if (grant === undefined || rule.cells[path.column] !== '^') return undefined
  return levelTooHigh(grant.level, path)
}

/** A level at or below the path's own passes; `strictly` one below it, except for who is owner there. */
function levelTooHigh(
  level: Level | undefined,
  path: Path,
  how: 'at most' | 'strictly' = 'at most',
): Objection {
  if (level === undefined) return undefined
  const own = path.role === null ? path.level : levelOfRole(path.role)
  const order = compareLevels(level, own)
  const passes = how === 'at most' || own === 'owner' ? order <= 0 : order < 0
  return passes ? undefined : 'rank'
}
