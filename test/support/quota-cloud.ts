import type { MeteredUse, WorkspaceUsage } from '../../cloud-sync/cloud/directory/index.ts'
import { ledgerUsage, type Quotas, startQuotas } from '../../cloud-sync/cloud/quotas/index.ts'
import type { UsageDay } from '../../cloud-sync/cloud/storage/index.ts'
import type { GatewayId } from '../../cloud-sync/contract/index.ts'
import { done, type TestDirectory } from './directory-world.ts'
import { silent } from './test-ledger.ts'

const KEY = Buffer.alloc(32).toString('base64')

/** What the ledger would say, as the test writes it. */
export class WrittenUse {
  readonly rows: MeteredUse[] = []

  ofMonth = ({ month }: { month: string }): Promise<MeteredUse[]> =>
    Promise.resolve(month === this.month ? this.rows : [])
  simCards = (): Promise<string[]> => Promise.resolve([])
  month = '2026-01'

  set(workspace: string, gateway: string, quantity: number, meter = 'sensor.readings'): void {
    const index = this.rows.findIndex((row) => row.workspace === workspace && row.gateway === gateway)
    if (index >= 0) this.rows.splice(index, 1)
    this.rows.push({ workspace, gateway, meter, quantity: BigInt(quantity) })
  }
}

/** A day of the ledger as acme's gateway posted it. */
export const usageDay = (fields: Readonly<Record<string, unknown>>): UsageDay =>
  ({
    ...{ org: 'acme', day: '2026-01-01', meter: 'sensor.readings', gateway: 'GW-1', custodian: null },
    ...{ subject: 'gateway', workspace: null, billable: true, quantity: 1n, network: null },
    ...fields,
  }) as UsageDay

/** What the cloud makes of these days of the ledger, asked for as the ledger is. */
export const usageOver = (rows: readonly UsageDay[]): WorkspaceUsage =>
  ledgerUsage({
    days: ({ org, gateways, meters, from = '', to = '~' }) =>
      Promise.resolve(
        rows.filter(
          (row) =>
            row.org === org &&
            (gateways?.includes(row.gateway as GatewayId) ?? true) &&
            (meters?.includes(row.meter) ?? true) &&
            (row.day ?? '') >= from &&
            (row.day ?? '') <= to,
        ),
      ),
    gatewaysOf: () => Promise.resolve([...new Set(rows.map(({ gateway }) => gateway as GatewayId))]),
  })

/** Limits over a directory that a test writes; nothing looks by itself. */
export function quotasOver(d: TestDirectory, usage: WorkspaceUsage): Quotas {
  const { store, world } = d
  return startQuotas({
    ...{ store, directory: d, usage, log: silent, now: () => d.now(), newId: world.newId },
    // Stands still: no look is due but those that the test asks for.
    monoMs: () => 0,
  })
}

/** Acme with its owner ana, two workspaces of one name, and gateways with a device in each. */
export async function acmeWithWorkspaces(
  d: TestDirectory,
  gateways: readonly string[] = ['GW-1'],
): Promise<{ wall: string; crest: string }> {
  await d.person('ana', 'acme')
  const create = async (): Promise<string> =>
    (await done(d.write.workspaces.create(d.as('ana', 'acme'), { org: 'acme', name: 'Dam' }))).workspace
  const [wall, crest] = [await create(), await create()]
  for (const gateway of gateways) {
    await done(d.write.gateways.register(d.operator(), { org: 'acme', gateway, publicKey: KEY }))
    for (const [device, workspace] of [
      ['wall', wall],
      ['crest', crest],
    ] as const)
      await done(
        d.write.gateways.addDevice(d.as('ana', 'acme'), {
          ...{ org: 'acme', gateway, device, name: device, workspace },
        }),
      )
  }
  return { wall, crest }
}

export const sharesAt = async (d: TestDirectory, workspace: string): Promise<Record<string, number>> =>
  Object.fromEntries(
    (await d.store.read.find('quota_share', { workspace })).map(({ gateway, amount }) => [gateway, amount]),
  )
