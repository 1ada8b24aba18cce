import type { DeliveryCounts } from '../delivery/outgoing.ts'
import type { Bounds } from '../bounds.ts'
import type { CloseReason } from '../connection/connection.ts'

/** All that a broker counts since its start. */
export interface Counts extends DeliveryCounts {
  published: number
  /** Publishes the policy refused. */
  quarantined: number
  refusedConnects: number
  refusedSubscriptions: number
  /** Wills the policy refused, at the connect or when they were due. */
  refusedWills: number
  /** Deliveries the policy refused. */
  withheld: number
  /** Retained messages for which there was no room. */
  droppedRetained: number
  /** How often the reading of a publisher paused for the disk. */
  paused: number
  /** Packets that broke the protocol, by what was wrong. */
  readonly faults: Map<string, number>
  readonly closed: Map<CloseReason, number>
}

export const newCounts = (bounds: Bounds): Counts => ({
  bounds,
  delivered: 0,
  droppedQos0: 0,
  droppedQueued: 0,
  droppedOffline: 0,
  redelivered: 0,
  published: 0,
  quarantined: 0,
  refusedConnects: 0,
  refusedSubscriptions: 0,
  refusedWills: 0,
  withheld: 0,
  droppedRetained: 0,
  paused: 0,
  faults: new Map(),
  closed: new Map(),
})

export function countIn<K>(table: Map<K, number>, key: K): void {
  table.set(key, (table.get(key) ?? 0) + 1)
}
