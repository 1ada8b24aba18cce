import type { Backlog } from '../connection/sending.ts'
import { LiveSubscriber } from '../delivery/live.ts'
import { Outgoing } from '../delivery/outgoing.ts'
import type { BrokerLimits } from '../limits.ts'
import type { Traffic } from '../metering/traffic.ts'
import type { CommitWriter, MessageStore } from '../persistence/index.ts'
import type { Principal } from '../policy.ts'
import type { Counts } from './counts.ts'
import type { Dialogue } from './dialogue.ts'
import type { Gate } from './gate.ts'
import type { Registry } from './registry.ts'

interface EntranceParts<P extends Principal> {
  readonly gate: Gate<P>
  readonly registry: Registry<P>
  readonly store: MessageStore
  readonly writer: CommitWriter
  readonly traffic: Traffic
  readonly backlog: Backlog
  readonly limits: BrokerLimits
  readonly counts: Counts
}

/** From a login that was granted to its CONNACK: what the CONNACK promises is on the disk before it is sent. */
export class Entrance<P extends Principal> {
  readonly #parts: EntranceParts<P>

  constructor(parts: EntranceParts<P>) {
    this.#parts = parts
  }

  /** Nothing is left of a connection that was gone before this: nobody would ever say that it left. */
  admit(dialogue: Dialogue<P>, principal: P): void {
    if (!dialogue.connection.isOpen) return
    const { gate, registry, writer } = this.#parts
    const { clientId, isClean, isKept } = dialogue
    if (isKept && writer.refused) {
      dialogue.turnAway()
      return
    }
    registry.enter(dialogue)
    const outgoing = this.#outgoing(dialogue, principal)
    // [MQTT-3.1.2-6]: what was stored under this client id ends here.
    if (isClean) registry.drop(clientId)
    const session = isClean ? undefined : registry.session(clientId, principal)
    const mayReceive = gate.mayReceive.bind(gate)
    dialogue.subscriber = session ?? new LiveSubscriber({ clientId, principal, outgoing, mayReceive })
    const welcome = (): void => {
      dialogue.welcome()
      session?.attach(outgoing)
    }
    if (!isKept) {
      welcome()
      return
    }
    this.#whenStored(dialogue, welcome, () => {
      dialogue.turnAway()
      // Nobody was told of this session, and it may have taken the place of another.
      if (session !== undefined && !dialogue.sessionPresent) registry.drop(clientId)
    })
  }

  /** Closes a connection that waits for the disk, with what it has just changed, for longer than `storeWaitMs`. */
  limitWait(dialogue: Dialogue<P>): void {
    this.#whenStored(
      dialogue,
      () => undefined,
      () => {
        dialogue.close('store-full')
      },
    )
  }

  #whenStored(dialogue: Dialogue<P>, stored: () => void, failed: () => void): void {
    const { store, limits, counts } = this.#parts
    const { clientId, connection } = dialogue
    const late = setTimeout(() => {
      if (!connection.isOpen) return
      counts.bounds.met('storeWaitMs', clientId)
      failed()
    }, limits.storeWaitMs).unref()
    store
      .committed()
      .then(() => {
        clearTimeout(late)
        if (connection.isOpen) stored()
      })
      .catch(() => {
        clearTimeout(late)
        if (connection.isOpen) failed()
      })
  }

  #outgoing({ connection }: Dialogue<P>, principal: P): Outgoing {
    const { limits, counts, backlog, traffic } = this.#parts
    const onSent = (topic: string, bytes: number, repeated: boolean): void => {
      traffic.sent(principal.id, { topic, bytes }, repeated)
    }
    return new Outgoing(connection, { limits, counts, backlog, onSent })
  }
}
