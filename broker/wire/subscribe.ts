import type { Body } from './body.ts'
import type { Qos, SubscribePacket, UnsubscribePacket } from './packets.ts'
import { WireFault } from './wire-fault.ts'

/** Reads a SUBSCRIBE (section 3.8). @throws WireFault */
export function readSubscribe(body: Body, bytes: number): SubscribePacket {
  const messageId = body.packetId()
  const subscriptions: SubscribePacket['subscriptions'] = []
  if (body.left === 0) throw new WireFault('subscribe-nothing') // [MQTT-3.8.3-3]
  while (body.left > 0) {
    const topic = readFilter(body)
    const qos = body.byte()
    if (qos > 2) throw new WireFault('subscribe-qos') // [MQTT-3.8.3-4], upper bits included
    subscriptions.push({ topic, qos: qos as Qos })
  }
  return { cmd: 'subscribe', messageId, subscriptions, bytes }
}

/** Reads an UNSUBSCRIBE (section 3.10). @throws WireFault */
export function readUnsubscribe(body: Body, bytes: number): UnsubscribePacket {
  const messageId = body.packetId()
  const unsubscriptions: string[] = []
  if (body.left === 0) throw new WireFault('unsubscribe-nothing') // [MQTT-3.10.3-2]
  while (body.left > 0) unsubscriptions.push(readFilter(body))
  return { cmd: 'unsubscribe', messageId, unsubscriptions, bytes }
}

/** A topic filter (section 4.7.1). `$share/...` is an ordinary name here; MQTT 3.1.1 knows no shared subscription. */
function readFilter(body: Body): string {
  const filter = body.text()
  if (filter.length === 0) throw new WireFault('filter-empty') // [MQTT-4.7.3-1]
  for (let at = filter.indexOf('#'); at !== -1; at = filter.indexOf('#', at + 1)) {
    // [MQTT-4.7.1-2]: the last character, alone or after a separator.
    if (at !== filter.length - 1 || !isAfterSeparator(filter, at)) throw new WireFault('filter-multi-level')
  }
  for (let at = filter.indexOf('+'); at !== -1; at = filter.indexOf('+', at + 1)) {
    // [MQTT-4.7.1-3]: a whole level.
    const isBeforeSeparator = at === filter.length - 1 || filter[at + 1] === '/'
    if (!isBeforeSeparator || !isAfterSeparator(filter, at)) throw new WireFault('filter-single-level')
  }
  return filter
}

const isAfterSeparator = (filter: string, at: number): boolean => at === 0 || filter[at - 1] === '/'
