import type { Principal } from '../policy.ts'
import type { Message, Qos } from './message.ts'

/** Which acknowledgement came. */
export type Acknowledgement = 'puback' | 'pubrec' | 'pubcomp'

/** Who gets messages: a connection, or a stored session with or without one. */
export interface Subscriber<P extends Principal> {
  readonly clientId: string
  /** Undefined while it is not known who owns the session now: then it gets nothing. */
  readonly principal: P | undefined
  readonly filters: Map<string, Qos>
  /**
   * A message that was routed and may be received. `seq` is the number of its row in the stored queue, 0 where it has none.
   */
  deliver(message: Message, qos: Qos, how: { readonly retain: boolean; readonly seq: number }): void
  /** False where the acknowledgement does not fit what was sent [MQTT-4.3.2-1], [MQTT-4.3.3-1]. */
  acknowledged(kind: Acknowledgement, messageId: number): boolean
  /** The peer has taken what was sent: more may follow. */
  resume(): void
  /** Bytes that wait in memory. */
  readonly waitingBytes: number
  /** False while retained messages had better wait. */
  readonly isReady: boolean
  /** So many more QoS 1 or 2 messages are being stored that it will be given. */
  expect(more: number): void
  /** True while more than half of what may wait for it does; what waits only for a connection does not count. */
  readonly isBehind: boolean
  /** Messages it has acknowledged since it is here. */
  readonly taken: number
}
