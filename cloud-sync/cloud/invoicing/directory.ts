import type { GatewayId, OrgId, ZoneFrom } from '../../contract/index.ts'
import type { DirectoryReader, DirectoryRow } from '../storage/index.ts'
import type { BilledOrganisation, BillingDirectory, UsageHold } from './ports.ts'

/** Who there is, read from the directory's rows. */
export function billingDirectory(read: DirectoryReader): BillingDirectory {
  return {
    organisations: async () => (await read.find('organisation', {}, { orderBy: ['id'] })).map(shown),
    async organisation(org) {
      const row = await read.get('organisation', { id: org })
      return row === undefined ? undefined : shown(row)
    },
    async membersOf(org) {
      const rows = await read.find('membership', { org, state: ['active', 'suspended'] })
      return new Set(rows.map(({ user }) => user))
    },
    async gatewaysOf(org) {
      const own = await read.find('gateway', { org, state: 'claimed' })
      const devices = await read.find('device', { org, state: 'active' })
      return new Map([
        ...devices.map(({ gateway }): [GatewayId, null] => [gateway as GatewayId, null]),
        ...own.map(({ id, custodian }): [GatewayId, string | null] => [id as GatewayId, custodian]),
      ])
    },
    async presenceOf(org) {
      const rows = await read.find('gateway_presence', { org }, { orderBy: ['gateway'] })
      return rows.map(({ gateway }) => gateway as GatewayId)
    },
    async customersOf(partner) {
      const links = await read.find(
        'management_link',
        { partner, state: ['active', 'ended'] },
        { orderBy: ['org', 'created_at', 'id'] },
      )
      return links.flatMap(({ org, state, begun_at: since, expires_at: expiresAt }) =>
        since === null ? [] : [{ org: org as OrgId, since, expiresAt, isEnded: state === 'ended' }],
      )
    },
    async holdsOf(org) {
      const rows = [
        ...(await read.find('usage_hold', { org })),
        ...(await read.find('usage_hold', { winner: org })),
      ]
      const holds = new Map<string, UsageHold>()
      for (const row of rows) holds.set(`${row.gateway} ${row.counter}`, await holdOf(read, row))
      return [...holds.values()]
    },
  }
}

const shown = ({
  id,
  name,
  billing,
  billing_zones: zones,
  ended_at: endedAt,
}: DirectoryRow<'organisation'>): BilledOrganisation => ({
  id: id as OrgId,
  name,
  billedOutside: billing === 'external',
  zones: JSON.parse(zones) as ZoneFrom[],
  endedAt,
})

/** It ends where the one who was metered for became the owner after all. */
async function holdOf(read: DirectoryReader, row: DirectoryRow<'usage_hold'>): Promise<UsageHold> {
  const { gateway, org, since, winner, decided_at: decidedAt } = row
  const entries = await read.find('ownership_entry', { gateway, org }, { orderBy: ['epoch'] })
  const owned = entries
    .map(({ entry }) => (JSON.parse(entry) as { at: number }).at)
    .filter((at) => at > since)
  return { gateway: gateway as GatewayId, org, since, until: owned[0] ?? null, winner, decidedAt }
}
