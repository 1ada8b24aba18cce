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
  /** Views that show the gateway and alerts about it, as far as they are shared: the others are only their owners'. */
  readonly items: readonly {
    readonly row: Pick<DirectoryRow<'saved_view'>, 'id' | 'org' | 'owner' | 'owner_org' | 'owner_incarnation'>
    readonly type: 'view' | 'alert'
  }[]
  /** By which they are shared. */
  readonly itemGrants: readonly DirectoryRow<'grant'>[]
}

/** Rows looked up at once. */
const LOOKED_UP_AT_ONCE = 200

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
  const shares = await read.find('grant', {
    org: owners,
    resource_kind: ['view', 'alert'],
    state: ['live', 'legacy'],
  })
  const items = await itemsAmong(read, { gateway: gateway.id, owners, shares })
  const here = new Set(items.map(({ row }) => row.id))
  const itemGrants = shares.filter(({ resource }) => here.has(resource))
  return { owners, devices, workspaces, items, itemGrants }
}

/** Of what is shared, what is about the gateway. */
async function itemsAmong(
  read: DirectoryReader,
  { gateway, owners, shares }: { gateway: string; owners: readonly string[]; shares: Things['itemGrants'] },
): Promise<Things['items']> {
  const isHere = (resource: string): boolean => resource === gateway || resource.startsWith(`${gateway}/`)
  const items: Things['items'][number][] = []
  const ids = [...new Set(shares.map(({ resource }) => resource))]
  for (let from = 0; from < ids.length; from += LOOKED_UP_AT_ONCE) {
    const where = { id: ids.slice(from, from + LOOKED_UP_AT_ONCE), org: owners, state: 'active' } as const
    for (const { gateways, ...row } of await read.find('saved_view', where))
      if (GatewayList.parse(JSON.parse(gateways)).includes(gateway))
        items.push({ row: named(row), type: 'view' })
    for (const row of await read.find('alert_rule', where))
      if (isHere(row.resource)) items.push({ row: named(row), type: 'alert' })
  }
  return items
}

/** What is kept of it: not what it shows. */
const named = ({ id, org, owner, owner_org, owner_incarnation }: Things['items'][number]['row']) => ({
  id,
  org,
  owner,
  owner_org,
  owner_incarnation,
})
