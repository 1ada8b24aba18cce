import { z } from 'zod'
import type { DirectoryRow } from '../../storage/index.ts'
import { demand, may, type Standing } from '../kernel/authority.ts'
import { OrgId } from '../kernel/words.ts'
import { type Asking, query } from '../kernel/write.ts'
import { actorsRights } from '../organisations/having.ts'

/**
 * What the organisation shows of its devices, and what of others' is shown to it, as far as one may know of device and
 * person. Shares with teams are with their things.
 */
export const deviceShares = query({
  input: z.strictObject({ org: OrgId }),
  async run(asking, { org }) {
    const own = await demand(asking, 'org.read', { org })
    const where = {
      resource_kind: ['device', 'sensor'],
      principal_kind: ['user', 'org'],
      state: 'live',
    } as const
    const given = await asking.read.find('grant', { org, ...where }, { orderBy: ['id'] })
    const received = await asking.read.find('grant', { principal_org: org, ...where }, { orderBy: ['id'] })
    const foreign = received.filter((grant) => grant.org !== org)
    if (!(await may(asking, 'crossorg.manage', { org }))) {
      return {
        given: (await known(asking, own, given)).map(shown),
        received: foreign.filter((grant) => isFor(grant, own) || isForAll(grant, own)).map(shown),
      }
    }
    return { given: given.map(shown), received: foreign.map(shown) }
  },
})

type Grant = DirectoryRow<'grant'>

/** The own share; whose thing one may share oneself; and of a thing that one reads, whose person one may list. */
async function known(asking: Asking, own: Standing, given: readonly Grant[]): Promise<Grant[]> {
  const org = own.organisation.id
  const lists = await may(asking, 'member.list', { org })
  const readsAll = await may(asking, 'data.read', { org })
  const has = actorsRights(asking)
  const kept: Grant[] = []
  for (const grant of given) {
    const mayKnowWhom = lists || grant.principal_kind === 'org'
    if (isFor(grant, own) || (mayKnowWhom && readsAll)) {
      kept.push(grant)
      continue
    }
    const had = await has(org, grant.resource_kind, grant.resource)
    if ((mayKnowWhom && had.has('data.read')) || had.has('share.grant')) kept.push(grant)
  }
  return kept
}

const isFor = (grant: Grant, { user, actingOrg }: Standing): boolean =>
  grant.principal_kind === 'user' && grant.principal === user && grant.principal_org === actingOrg
/** What is shown to the whole organisation is shown to its members, and to no partner of it. */
const isForAll = (grant: Grant, { actingOrg }: Standing): boolean =>
  grant.principal_kind === 'org' && grant.principal_org === actingOrg

function shown(grant: DirectoryRow<'grant'>) {
  const [gateway = '', device = '', sensor = null] = grant.resource.split('/')
  const member = grant.principal_kind === 'org' ? null : grant.principal
  const to = { org: grant.principal_org, member }
  return { grant: grant.id, from: grant.org, gateway, device, sensor, to, level: grant.level }
}
