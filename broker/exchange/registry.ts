import type { FilterIndex } from '../delivery/filter-index.ts'
import type { DeliveryCounts } from '../delivery/outgoing.ts'
import { Session } from '../delivery/session.ts'
import { StoredRoom } from '../delivery/stored-room.ts'
import type { Subscriber } from '../delivery/subscriber.ts'
import type { BrokerLimits } from '../limits.ts'
import type { MessageStore, StoredSession } from '../persistence/index.ts'
import type { Principal } from '../policy.ts'
import type { Dialogue } from './dialogue.ts'

export type Claim = 'granted' | 'held-by-another' | 'too-many'

interface RegistryParts<P extends Principal> {
  readonly store: MessageStore
  readonly index: FilterIndex<Subscriber<P>>
  readonly limits: BrokerLimits
  readonly counts: DeliveryCounts
  /** What the queues of all stored sessions may hold, bytes. */
  readonly storedBytesMax: number
  /** Who this id stands for now; undefined for nobody. */
  readonly principalOf: (id: string) => P | undefined
  readonly mayReceive: (principal: P | undefined, topic: string) => boolean
}

/**
 * Whose is a client id? The first principal that used one keeps it while a connection or a stored session of it
 * exists: otherwise a stranger with the same id would close the victim's connection [MQTT-3.1.4-2] and be handed its
 * queue.
 */
export class Registry<P extends Principal> {
  readonly #parts: RegistryParts<P>
  /** By client id, in the order of leaving. */
  readonly #sessions = new Map<string, Session<P>>()
  readonly #connected = new Map<string, Dialogue<P>>()
  readonly #room: StoredRoom
  /** Connections that have logged in, by principal. */
  readonly #perPrincipal = new Map<string, number>()

  constructor(parts: RegistryParts<P>) {
    this.#parts = parts
    this.#room = new StoredRoom(parts.storedBytesMax, () => this.#sessions.values())
  }

  /** Takes up the sessions that the store has. */
  load(): void {
    for (const stored of this.#parts.store.load()) {
      const session = this.#made(stored, this.#parts.principalOf(stored.principalId))
      for (const [filter, qos] of session.filters) this.#parts.index.add(filter, session, qos)
    }
  }

  get sessions(): ReadonlyMap<string, Session<P>> {
    return this.#sessions
  }

  get connected(): ReadonlyMap<string, Dialogue<P>> {
    return this.#connected
  }

  /** May this principal use this client id, now and for a session that is stored unless `clean`? */
  claim(clientId: string, principal: P, clean: boolean): Claim {
    if (this.#isAnothers(clientId, principal)) return 'held-by-another'
    const { limits, counts } = this.#parts
    const { connectionsPerPrincipal, sessions } = limits
    const takesOver = this.#connected.has(clientId)
    const open = this.#perPrincipal.get(principal.id) ?? 0
    if (!takesOver && open >= connectionsPerPrincipal) {
      counts.bounds.met('connectionsPerPrincipal', principal.id)
      return 'too-many'
    }
    if (!clean && !this.#sessions.has(clientId) && this.#sessions.size >= sessions) {
      counts.bounds.met('sessions', clientId)
      return 'too-many'
    }
    return 'granted'
  }

  /** A connection has its answer; it is the one with this client id from now on. */
  enter(dialogue: Dialogue<P>): void {
    const { clientId, principal } = dialogue
    if (principal === undefined) return
    this.#connected.set(clientId, dialogue)
    this.#perPrincipal.set(principal.id, (this.#perPrincipal.get(principal.id) ?? 0) + 1)
  }

  leave(dialogue: Dialogue<P>): void {
    const { clientId, principal } = dialogue
    if (this.#connected.get(clientId) !== dialogue || principal === undefined) return
    this.#connected.delete(clientId)
    const left = (this.#perPrincipal.get(principal.id) ?? 1) - 1
    if (left === 0) this.#perPrincipal.delete(principal.id)
    else this.#perPrincipal.set(principal.id, left)
    const session = this.#sessions.get(clientId)
    if (session === undefined) return
    this.#sessions.delete(clientId)
    this.#sessions.set(clientId, session)
    this.#shedAbsent(principal.id)
  }

  /** The stored session of a client id, made where there is none. */
  session(clientId: string, principal: P): Session<P> {
    const session = this.#sessions.get(clientId)
    if (session !== undefined) {
      session.principal = principal
      return session
    }
    this.#parts.store.openSession(clientId, principal.id)
    const nothing = { filters: [], last: 0, sent: 0, metered: 0, count: 0, bytes: 0 }
    return this.#made({ clientId, principalId: principal.id, ...nothing }, principal)
  }

  /** Drops what is stored for a client id: subscriptions, queue, half-done QoS 2 messages. */
  drop(clientId: string): void {
    const session = this.#sessions.get(clientId)
    if (session === undefined) return
    this.unsubscribe(session)
    this.#sessions.delete(clientId)
    session.drop()
    this.#parts.store.dropSession(clientId)
  }

  /** Takes all filters of a subscriber out of the index. */
  unsubscribe(subscriber: Subscriber<P>): void {
    for (const filter of subscriber.filters.keys()) this.#parts.index.remove(filter, subscriber)
  }

  /** Drops the sessions of these principals; their connections must be closed already. */
  dropAll(which: (principal: P | undefined, principalId: string) => boolean): void {
    for (const [clientId, session] of this.#sessions)
      if (which(session.principal, session.principalId)) this.drop(clientId)
  }

  /** Asks anew who stands behind each stored session without a connection: rights may have come or gone. */
  refreshPrincipals(): void {
    for (const session of this.#sessions.values())
      if (!session.isConnected) session.principal = this.#parts.principalOf(session.principalId)
  }

  #made(stored: StoredSession, principal: P | undefined): Session<P> {
    const { store, limits, counts, mayReceive } = this.#parts
    const session = new Session({ stored, principal, store, limits, counts, mayReceive, room: this.#room })
    this.#sessions.set(stored.clientId, session)
    return session
  }

  #isAnothers(clientId: string, principal: P): boolean {
    const holder = this.#connected.get(clientId)?.principal?.id ?? this.#sessions.get(clientId)?.principalId
    return holder !== undefined && holder !== principal.id && !this.#isAbandoned(clientId)
  }

  /** Drops the stored session of somebody who does not exist any more; answers whether that was so. */
  #isAbandoned(clientId: string): boolean {
    const session = this.#sessions.get(clientId)
    if (session === undefined || this.#connected.has(clientId)) return false
    if (this.#parts.principalOf(session.principalId) !== undefined) return false
    this.drop(clientId)
    return true
  }

  #shedAbsent(principalId: string): void {
    const absent = [...this.#sessions.values()].filter(
      (session) => !session.isConnected && session.principalId === principalId,
    )
    const tooMany = Math.max(0, absent.length - this.#parts.limits.absentSessions)
    this.#parts.counts.bounds.met('absentSessions', principalId, tooMany)
    for (const { clientId } of absent.slice(0, tooMany)) this.drop(clientId)
  }
}
