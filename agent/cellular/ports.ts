import type { Increment, Owner } from '../metering/index.ts'
import type { Claim } from './attribution.ts'
import type { LaneFactors } from './budget.ts'

/** Where the registers of cellular links are kept; implemented by agent/storage. */
export interface CellularMeter {
  /** What was given last as `memory`; undefined = nothing yet. */
  read(): unknown
  /**
   * Counts and keeps in one transaction, so that no kill between the two counts bytes twice. Nothing is lost where the disk
   * takes nothing for a while. Resolves once it is committed.
   */
  count(counted: {
    readonly increments: readonly Increment[]
    readonly memory: unknown
    /** Usage records without registers that say what happened, e.g. `sim_swap`; with one the interval ends. */
    readonly events: readonly string[]
    /** What comes after this is to be in another record: the link is on another network. */
    readonly isLast: boolean
  }): Promise<void>
}

/** What the gateway's own connections used of one interface. */
export interface OwnTraffic {
  readonly claims: readonly Claim[]
  /** Bytes of the connections beyond payload and idle. */
  readonly protocol: bigint
  readonly idle: bigint
}

/** What the meter needs to know of the gateway. */
export interface CellularGateway {
  /** Whose gateway it is: pays what nobody else does. The same object while the owner is the same. */
  host(): Owner
  /** What its own connections used since this was asked last, by the interface that they went by. */
  ownTraffic(): ReadonlyMap<string, OwnTraffic>
  /** The mobile network said what time it is, epoch ms; nobody signed it. */
  onNetworkTime?(epochMs: number): void
  /** A SIM reached another step of its budget, or left one. */
  onFactors(factors: LaneFactors): void
}
