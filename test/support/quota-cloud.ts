import type { MeteredUse } from '../../cloud-sync/cloud/directory/index.ts'
import { type Quotas, startQuotas } from '../../cloud-sync/cloud/quotas/index.ts'
import { done, type TestDirectory } from './directory-world.ts'
import { silent } from './test-ledger.ts'

const KEY = Buffer.alloc(32).toString('base64')

/** What the ledger would say, as the test writes it. */
export class WrittenUse {
  readonly rows: MeteredUse[] = []
  cards: string[] = []

  ofMonth = ({ month }: { month: string }): Promise<MeteredUse[]> =>
    Promise.resolve(month === this.month ? this.rows : [])
  simCards = (): Promise<string[]> => Promise.resolve(this.cards)
  month = '2026-01'

  set(workspace: string, gateway: string, quantity: number, meter = 'sensor.readings'): void {
    const index = this.rows.findIndex((row) => row.workspace === workspace && row.gateway === gateway)
    if (index >= 0) this.rows.splice(index, 1)
    this.rows.push({ workspace, gateway, meter, quantity: BigInt(quantity) })
  }
}

/** Limits over a directory that a test writes; nothing looks by itself. */
export function quotasOver(d: TestDirectory, usage: WrittenUse): Quotas {
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
