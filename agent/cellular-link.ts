import { networkInterfaces } from 'node:os'
import {
  type ChannelDef,
  type OrgId,
  type PolicySnapshot,
  sensorSubject,
  type Subject,
} from '../cloud-sync/contract/index.ts'
import { askMmcli, CarriedReadings, Cellular, KernelLinks, type OwnTraffic } from './cellular/index.ts'
import type { GatewayClock } from './clock/index.ts'
import type { CellularConfig } from './config/config.ts'
import type { Log } from './log.ts'
import type { Owner } from './metering/index.ts'
import type { Store } from './storage/index.ts'
import type { Link } from './uplink.ts'

/** A ping and its answer with acknowledgements, TLS, TCP and IP, bytes (metering.md, 5.3). */
const PING_CYCLE_BYTES = 204n
/** Of which the socket itself counts: two bytes each way. */
const PING_SOCKET_BYTES = 4n

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
  const carried = new CarriedReadings({
    channel: (no) => store.channel(no),
    payerOf: payersOf(() => store.policy.current()),
  })
  link?.onSent((sent) => {
    carried.sent(sent)
  })
  return new Cellular({
    rules: config,
    kernel: new KernelLinks(),
    modems: config.modemManager ? askMmcli() : null,
    meter: store.cellular,
    now: () => clock.now(),
    log,
    gateway: {
      host: hostOf(home, () => store.policy.current()),
      ownTraffic: ownTrafficOf(link, carried),
      onNetworkTime: (epochMs) => {
        clock.learnFromNetwork(epochMs)
      },
      onFactors: (factors) => {
        link?.slow(factors)
      },
    },
  })
}

/** What the connection to the cloud has used since this was asked last. */
function ownTrafficOf(link: Link | null, carried: CarriedReadings): () => OwnTraffic {
  let before = { bytes: 0n, pings: 0n }
  return () => {
    const { bytes: counted = 0, pings: pinged = 0, localAddress = null } = link?.traffic() ?? {}
    const now = { bytes: BigInt(counted), pings: BigInt(pinged) }
    const [bytes, pings] = [now.bytes - before.bytes, now.pings - before.pings]
    before = now
    const claims = carried.take()
    const payload = claims.reduce((sum, claim) => sum + claim.payload, 0n)
    const rest = bytes - payload - pings * PING_SOCKET_BYTES
    return {
      iface: localAddress === null ? null : interfaceOf(localAddress),
      claims,
      protocol: rest > 0n ? rest : 0n,
      idle: pings * PING_CYCLE_BYTES,
    }
  }
}

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

/** The same object as long as the gateway has the same owner. */
function hostOf(home: OrgId, current: () => PolicySnapshot | null): () => Owner {
  let host: Owner = { org: home, ownerEpoch: 1, custodian: null, workspace: null }
  return () => {
    const { org, ownerEpoch } = current()?.owner ?? { org: home, ownerEpoch: 1 }
    if (host.org !== org || host.ownerEpoch !== ownerEpoch) host = { ...host, org, ownerEpoch }
    return host
  }
}
