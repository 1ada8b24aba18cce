import type { GatewayId, Grant } from '../../../contract/index.ts'
import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'

/** Where a share stands among the rows: whose thing, which, and with whom. */
export type Place = Pick<
  DirectoryRow<'grant'>,
  'org' | 'resource_kind' | 'resource' | 'principal_kind' | 'principal' | 'principal_org'
>

/**
 * Undefined where there is nothing of the kind, or no such team. What was removed from the gateway counts too: whatever is
 * shown of it can still be taken back.
 */
export async function placeOf(
  read: DirectoryReader,
  gateway: GatewayId,
  { on, to }: Pick<Grant, 'on' | 'to'>,
): Promise<Place | undefined> {
  const thing = await thingOf(read, gateway, on)
  const principal = await principalOf(read, to)
  return thing === undefined || principal === undefined
    ? undefined
    : { ...thing, ...principal, principal_org: to.org }
}

async function thingOf(
  read: DirectoryReader,
  gateway: GatewayId,
  on: Grant['on'],
): Promise<Pick<Place, 'org' | 'resource_kind' | 'resource'> | undefined> {
  switch (on.kind) {
    case 'gateway': {
      const row = await read.get('gateway', { id: gateway })
      return row && { org: row.org, resource_kind: on.kind, resource: gateway }
    }
    case 'device':
    case 'sensor': {
      const path = `${gateway}/${on.device}`
      const row = await read.get('device', { path })
      const resource = on.kind === 'device' ? path : `${path}/${on.sensor}`
      return row && { org: row.org, resource_kind: on.kind, resource }
    }
    case 'workspace': {
      const row = await read.get('workspace', { id: on.workspace })
      return row && { org: row.org, resource_kind: on.kind, resource: row.id }
    }
    case 'item':
      return itemOf(read, on.item)
  }
}

async function itemOf(read: DirectoryReader, id: string) {
  const view = await read.get('saved_view', { id })
  const row = view ?? (await read.get('alert_rule', { id }))
  return row && ({ org: row.org, resource_kind: view ? 'view' : 'alert', resource: row.id } as const)
}

async function principalOf(
  read: DirectoryReader,
  to: Grant['to'],
): Promise<Pick<Place, 'principal_kind' | 'principal'> | undefined> {
  switch (to.kind) {
    case 'member':
      return { principal_kind: 'user', principal: to.name }
    case 'org':
      return { principal_kind: 'org', principal: to.org }
    case 'team': {
      const team = await read.get('team', { org: to.org, handle: to.team, state: 'active' })
      return team && { principal_kind: 'team', principal: team.id }
    }
  }
}
