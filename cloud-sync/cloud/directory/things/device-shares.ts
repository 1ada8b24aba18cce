import { z } from 'zod'
import type { DirectoryRow } from '../../storage/index.ts'
import { demand } from '../kernel/authority.ts'
import { OrgId } from '../kernel/words.ts'
import { query } from '../kernel/write.ts'

/** What the organisation shows of its devices, and what of others' is shown to it. Shares with teams are with their things. */
export const deviceShares = query({
  input: z.strictObject({ org: OrgId }),
  async run(asking, { org }) {
    await demand(asking, 'org.read', { org })
    const where = {
      resource_kind: ['device', 'sensor'],
      principal_kind: ['user', 'org'],
      state: 'live',
    } as const
    const given = await asking.read.find('grant', { org, ...where }, { orderBy: ['id'] })
    const received = await asking.read.find('grant', { principal_org: org, ...where }, { orderBy: ['id'] })
    return { given: given.map(shown), received: received.filter((grant) => grant.org !== org).map(shown) }
  },
})

function shown(grant: DirectoryRow<'grant'>) {
  const [gateway = '', device = '', sensor = null] = grant.resource.split('/')
  const member = grant.principal_kind === 'org' ? null : grant.principal
  const to = { org: grant.principal_org, member }
  return { grant: grant.id, from: grant.org, gateway, device, sensor, to, level: grant.level }
}
