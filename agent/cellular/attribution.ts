import type { Owner } from '../metering/index.ts'
import type { Subject } from '../../cloud-sync/contract/index.ts'

/** What claims may be carried into later windows, all together; beyond it they are dropped: they went another way. */
const CARRIED_BYTES_MAX = 1n << 20n

/** What the messages of one sensor took, counted where they were put on a socket of the cellular link. */
export interface Claim {
  readonly subject: Subject
  readonly owner: Owner
  /** Bytes of its messages. */
  readonly payload: bigint
  /** Packets: what acknowledgements, encryption and headers are shared by. */
  readonly packets: bigint
}

export interface Window {
  /** Bytes of the interface, both ways: what the classes must sum to. */
  readonly bytes: bigint
  readonly claims: readonly Claim[]
  /** Bytes of the gateway's own connections beyond payload and idle. */
  readonly protocol: bigint
  /** Bytes that only keep a connection alive. */
  readonly idle: bigint
}

export type TrafficClass = 'payload' | 'protocol' | 'idle' | 'other'

/** Bytes of one class for one payer. `subject` null = the link itself, which the host pays. */
export interface Share {
  readonly class: TrafficClass
  readonly subject: Subject | null
  readonly owner: Owner
  readonly bytes: bigint
}

/** Claims that did not fit their window because counters are read at different moments. */
export interface Carried {
  readonly claims: readonly Claim[]
  readonly protocol: bigint
  readonly idle: bigint
}

export const NOTHING_CARRIED: Carried = { claims: [], protocol: 0n, idle: 0n }

export interface Payers {
  /** Whose gateway it is: pays idle and other. */
  readonly host: Owner
  /** The host also pays what the sensors of its guests send. */
  readonly hostAbsorbs: boolean
}

/**
 * Divides the bytes of a window among classes and payers. Pure. The shares sum to exactly `window.bytes` and none is below
 * zero (I10): payload first, then protocol by packets, then idle; what is left is `other`. What does not fit is carried.
 */
export function attribute(
  window: Window,
  carried: Carried,
  { host, hostAbsorbs }: Payers,
): { readonly shares: readonly Share[]; readonly carried: Carried } {
  const claims = merged([...carried.claims, ...window.claims])
  const payload = fit(
    claims.map((claim) => claim.payload),
    window.bytes,
  )
  const afterPayload = window.bytes - sum(payload)
  const [protocolClaim, idleClaim] = [carried.protocol + window.protocol, carried.idle + window.idle]
  // Without a packet of any sensor, protocol is of nobody but the host.
  const protocol = least(protocolClaim, afterPayload)
  const packets = claims.map((claim) => claim.packets)
  const hasPackets = sum(packets) > 0n
  const protocolParts = hasPackets ? largestRemainder(protocol, packets) : packets.map(() => 0n)
  const idle = least(idleClaim, afterPayload - protocol)
  const other = window.bytes - sum(payload) - protocol - idle
  const perSensor = claims.flatMap(({ subject, owner }, index): Share[] => {
    const payer = hostAbsorbs ? host : owner
    return [
      { class: 'payload', subject, owner: payer, bytes: payload[index] ?? 0n },
      { class: 'protocol', subject, owner: payer, bytes: protocolParts[index] ?? 0n },
    ]
  })
  const shares: Share[] = [
    ...perSensor,
    { class: 'protocol', subject: null, owner: host, bytes: hasPackets ? 0n : protocol },
    { class: 'idle', subject: null, owner: host, bytes: idle },
    { class: 'other', subject: null, owner: host, bytes: other },
  ]
  const left = claims.map((claim, index) => ({
    ...claim,
    payload: claim.payload - (payload[index] ?? 0n),
    packets: 0n,
  }))
  return {
    shares: shares.filter(({ bytes }) => bytes > 0n),
    carried: bounded({ claims: left, protocol: protocolClaim - protocol, idle: idleClaim - idle }),
  }
}

/** With the claims of an interface whose counters have not moved since: its next window may have room for them. */
export const carriedOver = (carried: Carried, { claims, protocol, idle }: Carried): Carried =>
  bounded({
    claims: merged([...carried.claims, ...claims]),
    protocol: carried.protocol + protocol,
    idle: carried.idle + idle,
  })

/** Whole parts of `total` in proportion to the weights, which may not all be 0; the sum is exactly `total`. */
export function largestRemainder(total: bigint, weights: readonly bigint[]): bigint[] {
  const whole = sum(weights)
  const parts = weights.map((weight) => (total * weight) / whole)
  const rest = Number(total - sum(parts))
  // Equal remainders go to whoever comes first, so that the same window is always divided in the same way.
  const order = weights
    .map((weight, index) => ({ index, remainder: (total * weight) % whole }))
    .sort((a, b) => (a.remainder === b.remainder ? a.index - b.index : a.remainder > b.remainder ? -1 : 1))
  for (const { index } of order.slice(0, rest)) parts[index] = (parts[index] ?? 0n) + 1n
  return parts
}

/** Claims as they are where they fit, else their proportion of what there is. */
function fit(claims: readonly bigint[], room: bigint): readonly bigint[] {
  return sum(claims) <= room ? claims : largestRemainder(room, claims)
}

function merged(claims: readonly Claim[]): Claim[] {
  const bySensor = new Map<string, Claim>()
  for (const claim of claims) {
    const { org, ownerEpoch, custodian, workspace } = claim.owner
    const key = JSON.stringify([claim.subject, org, ownerEpoch, custodian, workspace])
    const before = bySensor.get(key)
    const payload = claim.payload + (before?.payload ?? 0n)
    bySensor.set(key, { ...claim, payload, packets: claim.packets + (before?.packets ?? 0n) })
  }
  // By code units, not by locale: the same on every machine.
  return [...bySensor].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, claim]) => claim)
}

function bounded(carried: Carried): Carried {
  const claims = carried.claims.filter(({ payload }) => payload > 0n)
  const total = sum(claims.map(({ payload }) => payload)) + carried.protocol + carried.idle
  return total > CARRIED_BYTES_MAX ? NOTHING_CARRIED : { ...carried, claims }
}

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, one) => total + one, 0n)
const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)
