import { NOBODY } from '../../../contract/index.ts'
import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { type Actor, nameOf } from './actor.ts'

type Line = Omit<DirectoryRow<'audit'>, 'position'>

/** One line of the audit. An idempotency key has no blank: what stands behind the first one is what it was done to. */
export function auditLine({
  by,
  about,
  ...said
}: Pick<Line, 'at' | 'org' | 'what' | 'outcome'> & {
  by: { actor: Actor; key: string }
  about?: string | undefined
}): Line {
  const { kind, id, org } = nameOf(by.actor)
  const detail = about === undefined ? by.key : `${by.key} ${about}`
  return { ...said, actor_kind: kind, actor: id, actor_org: org, detail }
}

const ORG_CHAIN = 'org:'
export const orgChain = (org: string): string => `${ORG_CHAIN}${org}`

/** Organisations of these chains, in the order in which the command names them: whose affair it is comes first. */
export const orgsAmong = (chains: readonly string[]): string[] => [
  ...new Set(
    chains
      // Nobody reads what is nobody's.
      .filter((chain) => chain.startsWith(ORG_CHAIN) && chain !== orgChain(NOBODY))
      .map((chain) => chain.slice(ORG_CHAIN.length)),
  ),
]

/**
 * In whose audit a refused attempt on something of `org` stands: there, if whoever tried it is one of its people or acts
 * for an organisation that may do something there; else in that of their own. Nobody fills a stranger's audit.
 */
export async function concernedBy(
  read: DirectoryReader,
  actor: Actor,
  org: string | undefined,
): Promise<string | null> {
  if (actor.kind !== 'user' || org === undefined) return org ?? null
  const own = actor.org ?? ''
  const where = { org: own, user: actor.user, state: ['active', 'suspended'] } as const
  if ((await read.get('membership', where)) === undefined) return null
  const leadsThere =
    own === org ||
    (await read.get('management_link', { org, partner: own, state: 'active' })) !== undefined ||
    (await read.get('cross_org_policy', { org, to_org: own, state: 'active' })) !== undefined
  return leadsThere ? org : own
}
