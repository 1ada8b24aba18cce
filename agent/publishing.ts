import type { Broker, LocalMessage } from '../broker/index.ts'
import type { GatewayId } from '../cloud-sync/contract/index.ts'
import type { FieldState } from './field-state.ts'
import type { PublishedReading } from './published-reading.ts'
import type { LocalPrincipal } from './policy/local-policy.ts'
import { deviceStatus, gatewayStatus, SensorPacks } from './policy/senml.ts'
import { VERSION } from './version.ts'

/** Messages that the broker is given before the next turn of the event loop, so that a large commit stalls nobody. */
const MESSAGES_A_TURN = 100

/** Puts committed readings and health on the gateway's own broker. Who may have them is decided there. */
export class Publishing {
  readonly #gateway: GatewayId
  readonly #broker: Broker<LocalPrincipal>
  readonly #field: FieldState
  readonly #packs: SensorPacks

  constructor(parts: { gateway: GatewayId; broker: Broker<LocalPrincipal>; field: FieldState }) {
    this.#gateway = parts.gateway
    this.#broker = parts.broker
    this.#field = parts.field
    this.#packs = new SensorPacks(parts.gateway)
  }

  /** Resolves once the broker has them all. */
  async readings(readings: readonly PublishedReading[]): Promise<void> {
    const facts = readings.map(({ def, reading }) => ({ ...def, ...reading, channel: def.channel }))
    await this.#send(this.#packs.messages(facts))
  }

  /** What the broker keeps in memory only and a restart has taken. Before the broker starts nobody is sent it twice. */
  async again(readings: readonly PublishedReading[]): Promise<void> {
    await this.readings(readings)
    for (const device of this.#field.devices.keys()) await this.device(device)
    await this.gateway(true)
  }

  async device(device: string): Promise<void> {
    const health = this.#field.devices.get(device)
    if (health !== undefined) await this.#send([deviceStatus(this.#gateway, device, health)])
  }

  /** The gateway's health summary: what an operator looks at first. */
  async gateway(online: boolean): Promise<void> {
    const count = (states: ReadonlyMap<string, { state: string }>): Record<string, number> => {
      const counts: Record<string, number> = {}
      for (const { state } of states.values()) counts[state] = (counts[state] ?? 0) + 1
      return counts
    }
    const status = {
      online,
      sw: VERSION,
      lines: count(this.#field.lines),
      devices: count(this.#field.devices),
      refused: this.#field.refused.size,
      dropped: this.#field.dropped,
    }
    await this.#send([gatewayStatus(this.#gateway, status)])
  }

  /** Forgets the last values of a device: they were another owner's. */
  forget(device: string): void {
    this.#packs.forget(device)
  }

  async #send(messages: readonly LocalMessage[]): Promise<void> {
    for (const [index, message] of messages.entries()) {
      await this.#broker.publish(message)
      if (index % MESSAGES_A_TURN === MESSAGES_A_TURN - 1)
        await new Promise((resolve) => setImmediate(resolve))
    }
  }
}
