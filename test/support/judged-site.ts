import { onTestFinished } from 'vitest'
import { createGatewayChanges } from '../../cloud-sync/cloud/gateway-changes.ts'
import type { GatewayChange, GatewayId } from '../../cloud-sync/contract/index.ts'
import { bodyOf, ChangesAtGateway } from './changes-at-gateway.ts'
import { fakeGateway } from './fake-gateway.ts'
import { type SeededCloud, seededCloud } from './seeded-cloud.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { silent } from './test-ledger.ts'

export const GW1 = 'GW-1' as GatewayId
const gateways = [fakeGateway('GW-1', '0')]
export const TILT = { kind: 'device', resource: 'GW-1/tilt-1' } as const

/** A cloud and the changes that its gateway sends it. */
export interface JudgedSite {
  readonly cloud: SeededCloud
  readonly edge: ChangesAtGateway
  /** What the cloud says of it: `accepted`, or state, reason and winner. */
  take(change: GatewayChange): Promise<string>
  /** Level and end of what tilt-1 is shown by, by grantee. */
  shares(): Promise<string[]>
  /** The gateway hears the newest policy. */
  hears(): Promise<void>
}

/** acme: ana owns, adam administers, bob is a plain member; tilt-1 is acme's. */
export async function judgedSite(): Promise<JudgedSite> {
  const cloud = await seededCloud(temporaryFolder(), { gateways })
  onTestFinished(() => cloud.close())
  const { directory, policies } = cloud
  await directory.person('adam')
  await directory.joins('adam', 'acme', 'admin', 'ana')
  await policies.caughtUp()
  const edge = new ChangesAtGateway(await cloud.snapshot(GW1))
  const changes = createGatewayChanges({ world: directory.world, log: silent })
  return {
    cloud,
    edge,
    async take(change) {
      const { verdicts } = await changes.take(change, bodyOf(change))
      await policies.caughtUp()
      const [verdict] = verdicts
      if (verdict === undefined) return 'waits'
      const { state, because, winner } = verdict
      return [state, because, winner].filter((part) => part !== null).join(' ')
    },
    async shares() {
      const { grants } = await cloud.snapshot(GW1)
      return grants.map(({ to, level }) => `${'name' in to ? to.name : to.org} ${level}`).sort()
    },
    async hears() {
      edge.hears(await cloud.snapshot(GW1))
    },
  }
}
