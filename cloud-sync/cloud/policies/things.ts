import { z } from 'zod'
import type { DirectoryReader, DirectoryRow } from '../storage/index.ts'

const GatewayList = z.array(z.string())

/** What there is on one gateway, and whose. */
export interface Things {
  /** The gateway's organisation and those with a device on it. */
  readonly owners: readonly string[]
  readonly devices: readonly DirectoryRow<'device'>[]
  /** Those that hold the gateway or a device. */
  readonly workspaces: readonly DirectoryRow<'workspace'>[]
  /** Views that show the gateway and alerts about it. */
  readonly items: readonly {
    readonly row: Pick<DirectoryRow<'saved_view'>, 'id' | 'org' | 'owner' | 'owner_org' | 'owner_incarnation'>
    readonly type: 'view' | 'alert'
  }[]
}

export async function gatewayThings(
  read: DirectoryReader,
  gateway: DirectoryRow<'gateway'>,
  /** Rows of devices as they will be, in place of those that are. */
  instead: readonly DirectoryRow<'device'>[] = [],
): Promise<Things> {
  const rows = await read.find('device', { gateway: gateway.id, state: 'active' })
  const devices = rows.map((row) => instead.find(({ path }) => path === row.path) ?? row)
  const owners = [...new Set([gateway.org, ...devices.map(({ org }) => org)])]
  const placed = [gateway, ...devices].flatMap(({ workspace }) => workspace ?? [])
  const workspaces = await read.find('workspace', { id: [...new Set(placed)], state: 'active' })
  const views = await read.find('saved_view', { org: owners, state: 'active' })
  const alerts = await read.find('alert_rule', { org: owners, state: 'active' })
  const isHere = (resource: string): boolean =>
    resource === gateway.id || resource.startsWith(`${gateway.id}/`)
  return {
    owners,
    devices,
    workspaces,
    items: [
      ...views
        .filter(({ gateways }) => GatewayList.parse(JSON.parse(gateways)).includes(gateway.id))
        .map((row) => ({ row, type: 'view' as const })),
      ...alerts.filter(({ resource }) => isHere(resource)).map((row) => ({ row, type: 'alert' as const })),
    ],
  }
}
