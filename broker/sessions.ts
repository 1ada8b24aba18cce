import { ABSENT_SESSIONS_MAX } from './limits.ts'
import type { Principal } from './policy.ts'

interface Binding<P> {
  principal: P
  connections: number
  /** Its session outlives its connection (CONNECT with clean session 0). */
  persistent: boolean
}

/**
 * Whose client id is it? The first principal that used an id keeps it while a connection or a stored session of it
 * exists: otherwise a stranger with the same id would close the victim's connection [MQTT-3.1.4-2] and be handed
 * its queue.
 */
export class Sessions<P extends Principal> {
  readonly #bound = new Map<string, Binding<P>>()
  readonly #forget: (clientId: string) => void

  /** `forget` drops what is stored for a client id. */
  constructor(forget: (clientId: string) => void) {
    this.#forget = forget
  }

  /** Notes a connection that has logged in; false where the id is another principal's. */
  claim(clientId: string, principal: P, clean: boolean): boolean {
    const held = this.#bound.get(clientId)
    if (held !== undefined && held.principal.id !== principal.id) return false
    this.#bound.set(clientId, {
      principal,
      connections: (held?.connections ?? 0) + 1,
      persistent: !clean,
    })
    return true
  }

  /** Notes that a claimed connection is gone. */
  release(clientId: string): void {
    const held = this.#bound.get(clientId)
    if (held === undefined) return
    held.connections -= 1
    if (held.connections > 0) return
    this.#bound.delete(clientId)
    if (!held.persistent) {
      this.#forget(clientId)
      return
    }
    this.#bound.set(clientId, held) // to the end: the order of the map is the order of leaving
    this.#shed(held.principal.id)
  }

  /** The principal that holds this client id, connected or not. */
  principalOf(clientId: string): P | undefined {
    return this.#bound.get(clientId)?.principal
  }

  /** Drops everything stored for these principals; their connections must be closed already. */
  forgetAll(which: (principal: P) => boolean): void {
    for (const [clientId, held] of this.#bound) {
      if (!which(held.principal)) continue
      this.#forget(clientId)
      held.persistent = false
      if (held.connections === 0) this.#bound.delete(clientId)
    }
  }

  #shed(principalId: string): void {
    const absent = [...this.#bound].filter(
      ([, held]) => held.connections === 0 && held.principal.id === principalId,
    )
    for (const [clientId] of absent.slice(0, Math.max(0, absent.length - ABSENT_SESSIONS_MAX))) {
      this.#bound.delete(clientId)
      this.#forget(clientId)
    }
  }
}
