import { z } from 'zod'
import { Level } from '../../../contract/index.ts'
import type { DirectoryRow } from '../../storage/index.ts'
import { notFound, refuse } from '../errors.ts'
import { demand } from '../kernel/authority.ts'
import { foldName } from '../kernel/fold.ts'
import { assertRoom, MAX } from '../kernel/limits.ts'
import { OrgId, Title } from '../kernel/words.ts'
import { type Asking, command, orgChain, query } from '../kernel/write.ts'

const OFFLINE_TTL_MS = 24 * 3_600_000

/**
 * Lets the people of `org` share with those of another organisation, not the other way (S0.28). The other one is named
 * in full and must be public (S0.24, S0.27); where two have one name, `to` says which.
 */
export const add = command({
  name: 'policy.add',
  input: z.strictObject({
    org: OrgId,
    name: Title,
    to: OrgId.optional(),
    maxLevel: Level.default('editor'),
    offlineTtlMs: z.int().min(0).default(OFFLINE_TTL_MS),
  }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, name, to, maxLevel, offlineTtlMs }) {
    const own = await demand(writing, 'crossorg.manage', { org })
    const target = await publicNamed(writing, { org, name, to })
    const { read, world, at } = writing
    if (await read.get('cross_org_policy', { org, to_org: target.id, state: 'active' }))
      refuse('DIRECTORY_EXISTS', `${target.name} was added already`)
    const count = await read.count('cross_org_policy', { org, state: 'active' })
    assertRoom('organisations to share with', { count, max: MAX.sharedWithOrganisations })
    const id = world.newId()
    await writing.put('cross_org_policy', {
      org,
      to_org: target.id,
      // Another id each time: what was shared under a deleted policy does not wake (edge case 5).
      id,
      max_level: maxLevel,
      offline_ttl_ms: offlineTtlMs,
      state: 'active',
      created_by: own.user,
      created_at: at,
    })
    return { policy: id, to: target.id }
  },
})

/** Everything that was shared by it ends at once. */
export const remove = command({
  name: 'policy.remove',
  input: z.strictObject({ org: OrgId, to: OrgId }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, to }) {
    await demand(writing, 'crossorg.manage', { org })
    const policy = (await policyBetween(writing, org, to)) ?? notFound('policy')
    await writing.put('cross_org_policy', { ...policy, state: 'deleted' })
    return { org, to }
  },
})

/** Organisations that this one may share with. */
export const list = query({
  input: z.strictObject({ org: OrgId }),
  async run(asking, { org }) {
    await demand(asking, 'org.read', { org })
    const policies = await asking.read.find(
      'cross_org_policy',
      { org, state: 'active' },
      { orderBy: ['to_org'] },
    )
    const others = await asking.read.find('organisation', { id: policies.map(({ to_org }) => to_org) })
    const names = new Map(others.map(({ id, name }) => [id, name]))
    return policies.map(({ to_org, max_level, created_at }) => ({
      to: to_org,
      name: names.get(to_org) ?? to_org,
      maxLevel: max_level,
      createdAt: created_at,
    }))
  },
})

/** The live policy from one organisation to another. */
export const policyBetween = (
  { read }: Asking,
  org: string,
  to: string,
): Promise<DirectoryRow<'cross_org_policy'> | undefined> =>
  read.get('cross_org_policy', { org, to_org: to, state: 'active' })

/** A private organisation is answered like one that does not exist. */
async function publicNamed(
  { read }: Asking,
  { org, name, to }: { org: string; name: string; to: string | undefined },
): Promise<DirectoryRow<'organisation'>> {
  const where = { name_key: foldName(name), visibility: 'public', state: 'active' } as const
  const named = (await read.find('organisation', where)).filter(({ id }) => id !== org && (to ?? id) === id)
  const [found, another] = named
  if (found === undefined) return notFound('public organisation of this full name')
  if (another !== undefined)
    refuse(
      'DIRECTORY_INPUT_INVALID',
      `several organisations have this name: ${named.map(({ id }) => id).join(', ')}`,
    )
  return found
}
