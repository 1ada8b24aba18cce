/**
 * Every reason to refuse bytes, with the clause of MQTT 3.1.1 it comes from. Where the standard numbers no statement
 * for a rule, a packet that breaks it is a protocol violation, [MQTT-4.8.0-1].
 */
export const WIRE_FAULTS = {
  utf8: '[MQTT-1.5.3-1]',
  'null-character': '[MQTT-1.5.3-2]',
  // Section 1.5.3: whoever receives U+0001 to U+001F, U+007F to U+009F or a non-character MAY close. They have no
  // place in topics and names that end up in logs and on terminals.
  'control-character': '1.5.3',
  'packet-type': '[MQTT-4.8.0-1]',
  'header-flags': '[MQTT-2.2.2-2]',
  // Section 2.2.3: at most four bytes.
  'remaining-length': '[MQTT-4.8.0-1]',
  // Section 4.8 names a full buffer as its example of a transient error, which ends the connection.
  'too-large': '[MQTT-4.8.0-2]',
  'packet-length': '[MQTT-4.8.0-1]',
  'packet-id': '[MQTT-2.3.1-1]',
  'not-connect': '[MQTT-3.1.0-1]',
  'second-connect': '[MQTT-3.1.0-2]',
  'protocol-name': '[MQTT-3.1.2-1]',
  'protocol-level': '[MQTT-3.1.2-2]',
  'reserved-connect-flag': '[MQTT-3.1.2-3]',
  'will-flags': '[MQTT-3.1.2-11]',
  'will-qos': '[MQTT-3.1.2-14]',
  'password-without-user-name': '[MQTT-3.1.2-22]',
  'client-id-missing': '[MQTT-3.1.3-8]',
  'client-id-length': '[MQTT-3.1.3-9]',
  'publish-qos': '[MQTT-3.3.1-4]',
  'publish-dup': '[MQTT-3.3.1-2]',
  'topic-empty': '[MQTT-4.7.3-1]',
  'topic-wildcard': '[MQTT-3.3.2-2]',
  'filter-empty': '[MQTT-4.7.3-1]',
  'filter-multi-level': '[MQTT-4.7.1-2]',
  'filter-single-level': '[MQTT-4.7.1-3]',
  'subscribe-nothing': '[MQTT-3.8.3-3]',
  'subscribe-qos': '[MQTT-3.8.3-4]',
  'unsubscribe-nothing': '[MQTT-3.10.3-2]',
} as const
export type WireFaultReason = keyof typeof WIRE_FAULTS

/** Bytes that are not MQTT as it must be; the connection they came on is to be closed. */
export class WireFault extends Error {
  readonly reason: WireFaultReason
  readonly clause: string
  /** A CONNACK to send before closing, where the standard wants one. */
  readonly reply: Buffer | null

  constructor(reason: WireFaultReason, reply: Buffer | null = null) {
    super(`${reason} ${WIRE_FAULTS[reason]}`)
    this.name = 'WireFault'
    this.reason = reason
    this.clause = WIRE_FAULTS[reason]
    this.reply = reply
  }
}
