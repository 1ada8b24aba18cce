import { type OrgId, type PolicySnapshot } from '../cloud-sync/contract/index.ts'
import { askMmcli, Cellular, KernelLinks } from './cellular/index.ts'
import type { GatewayClock } from './clock/index.ts'
import type { CellularConfig } from './config/config.ts'
import type { Log } from './log.ts'
import type { Owner } from './metering/index.ts'
import type { Store } from './storage/index.ts'
import type { Link } from './uplink.ts'

interface CellularLinkParts {
  readonly store: Store
  readonly clock: GatewayClock
  readonly log: Log
  /** Whose the gateway is while there is no policy. */
  readonly home: OrgId
  readonly link: Link | null
}

/** Joins the meter of cellular links to the store's registers and the link to the cloud. */
export function cellularLink(
  config: CellularConfig,
  { store, clock, log, home, link }: CellularLinkParts,
): Cellular {
  const host = hostOf(home, () => store.policy.current())
  let counted = bytesOf(link)
  return new Cellular({
    rules: config,
    kernel: new KernelLinks(),
    modems: config.modemManager ? askMmcli() : null,
    meter: store.cellular,
    now: () => clock.now(),
    log,
    gateway: {
      host,
      // Batches of many sensors are packed together, so the link is the gateway's own protocol: the host's.
      ownTraffic: () => {
        const now = bytesOf(link)
        const protocol = now - counted
        counted = now
        return { claims: [], protocol, idle: 0n }
      },
      onFactors: (factors) => {
        link?.slow(factors)
      },
    },
  })
}

function bytesOf(link: Link | null): bigint {
  const { bytesOut = 0, bytesIn = 0 } = link?.facts() ?? {}
  return BigInt(Number(bytesOut) + Number(bytesIn))
}

/** The same object as long as the gateway has the same owner. */
function hostOf(home: OrgId, current: () => PolicySnapshot | null): () => Owner {
  let host: Owner = { org: home, ownerEpoch: 1, custodian: null, workspace: null }
  return () => {
    const { org, ownerEpoch } = current()?.owner ?? { org: home, ownerEpoch: 1 }
    if (host.org !== org || host.ownerEpoch !== ownerEpoch) host = { ...host, org, ownerEpoch }
    return host
  }
}
