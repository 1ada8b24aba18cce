import { networkInterfaces } from 'node:os'
import {
  type ChannelDef,
  type OrgId,
  type PolicySnapshot,
  sensorSubject,
  type Subject,
} from '../cloud-sync/contract/index.ts'
import { askMmcli, CarriedReadings, Cellular, KernelLinks } from './cellular/index.ts'
import type { GatewayClock } from './clock/index.ts'
import type { CellularConfig } from './config/config.ts'
import type { Log } from './log.ts'
import { type Owner, sameOwner } from './metering/index.ts'
import { type ConnectionTotals, OwnTrafficMeter } from './own-traffic.ts'
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

/** Joins the meter of cellular links to the store's registers, the clock, and the link to the cloud. */
export function cellularLink(
  config: CellularConfig,
  { store, clock, log, home, link }: CellularLinkParts,
): Cellular {
  const kernel = new KernelLinks()
  const carried = new CarriedReadings({
    channel: (no) => store.channel(no),
    payerOf: payersOf(() => store.policy.current()),
  })
  const ownTraffic = new OwnTrafficMeter({
    totals: () => link?.traffic() ?? NO_CONNECTION,
    claims: () => carried.take(),
    interfaceOf: (address) => {
      const iface = interfaceOf(address)
      return iface === null ? null : kernel.countedAs(iface, config.interfaces)
    },
  })
  link?.onSent((sent) => {
    ownTraffic.look()
    carried.sent(sent)
  })
  return new Cellular({
    rules: config,
    kernel,
    modems: config.modemManager ? askMmcli() : null,
    meter: store.cellular,
    now: () => clock.now(),
    log,
    gateway: {
      host: hostOf(home, () => store.policy.current()),
      ownTraffic: () => ownTraffic.take(),
      onNetworkTime: (epochMs) => {
        clock.learnFromNetwork(epochMs)
      },
      onFactors: (factors) => {
        link?.slow(factors)
      },
    },
  })
}

const NO_CONNECTION: ConnectionTotals = { bytes: 0, pings: 0, localAddress: null }

/** The interface with this address; null where none has it (any more). */
function interfaceOf(address: string): string | null {
  const plain = address.replace(/^::ffff:/, '')
  const found = Object.entries(networkInterfaces()).find(([, own]) =>
    own?.some((one) => one.address === plain),
  )
  return found?.[0] ?? null
}

/** Who pays for a channel's readings: their owner, with whoever looks after them now. */
function payersOf(
  current: () => PolicySnapshot | null,
): (def: ChannelDef) => { readonly subject: Subject; readonly owner: Owner } {
  let known: { readonly of: PolicySnapshot | null; readonly payers: Map<string, Payer> } | undefined
  return (def) => {
    const of = current()
    if (known?.of !== of) known = { of, payers: new Map<string, Payer>() }
    const { device, sensor, org, ownerEpoch } = def
    const name = `${device} ${sensor} ${org} ${ownerEpoch}`
    const payer = known.payers.get(name) ?? payerOf(def, of)
    known.payers.set(name, payer)
    return payer
  }
}

type Payer = { readonly subject: Subject; readonly owner: Owner }

function payerOf({ device, sensor, org, ownerEpoch }: ChannelDef, snapshot: PolicySnapshot | null): Payer {
  const owned = snapshot?.devices.find(
    (one) => one.id === device && one.org === org && one.ownerEpoch === ownerEpoch,
  )
  const { custodian = null, workspace = null } = owned ?? {}
  return { subject: sensorSubject(device, sensor), owner: { org, ownerEpoch, custodian, workspace } }
}

/**
 * Who pays for what is nobody else's: the gateway's owner, with the member who looks after it and the workspace it is in as
 * the policy names them when it accrues. The same object while all of that is the same.
 */
export function hostOf(home: OrgId, current: () => Pick<PolicySnapshot, 'owner'> | null): () => Owner {
  const unnamed: Owner = { org: home, ownerEpoch: 1, custodian: null, workspace: null }
  let host = unnamed
  return () => {
    const { org, ownerEpoch, custodian, workspace } = current()?.owner ?? unnamed
    const now: Owner = { org, ownerEpoch, custodian, workspace }
    if (!sameOwner(host, now)) host = now
    return host
  }
}
