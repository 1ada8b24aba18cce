import { DeviceId, GatewayId, SensorName } from './ids.ts'

/** Streams with sequence numbers, kept until the cloud's own acknowledgement (wire.md, section 1). */
export const STREAMS = ['usage', 'rd', 'rd/h', 'evt'] as const
export type Stream = (typeof STREAMS)[number]

/** Everything a gateway may send besides the streams. */
export const UP_PLAIN = ['status', 'pol', 'prop', 'cmd', 'met'] as const
export type UpKind = Stream | (typeof UP_PLAIN)[number]
export type DownKind = `ack/${Stream}` | 'ack/prop' | 'pol/head' | 'pol/d' | 'claim' | 'cmd'

const UP_KINDS: readonly string[] = [...STREAMS, ...UP_PLAIN]
const DOWN_KINDS: readonly string[] = [
  ...STREAMS.map((s) => `ack/${s}`),
  'ack/prop',
  'pol/head',
  'pol/d',
  'claim',
  'cmd',
]

/** The shard is the first byte of SHA-256(gateway id), two hex digits; `codec.shardOf` computes it. */
export const upTopic = (shard: string, gw: GatewayId, kind: UpKind): string => `hg1/${shard}/${gw}/up/${kind}`
export const downTopic = (shard: string, gw: GatewayId, kind: DownKind): string =>
  `hg1/${shard}/${gw}/dn/${kind}`
/** The filter a gateway subscribes to. */
export const downFilter = (shard: string, gw: GatewayId): string => `hg1/${shard}/${gw}/dn/#`
/** The filter an ingest worker subscribes to for one shard (or `+` for all). */
export const upFilter = (shard: string): string => `hg1/${shard}/+/up/#`

const LINK_TOPIC = /^hg1\/([0-9a-f]{2})\/([A-Za-z0-9-]{1,64})\/(up|dn)\/(.+)$/

export type LinkTopic =
  | { direction: 'up'; shard: string; gateway: GatewayId; kind: UpKind }
  | { direction: 'dn'; shard: string; gateway: GatewayId; kind: DownKind }

/** The inverse of `upTopic` and `downTopic`; undefined for any other topic. */
export function parseLinkTopic(topic: string): LinkTopic | undefined {
  const match = LINK_TOPIC.exec(topic)
  if (match === null) return undefined
  const [, shard = '', gw = '', direction, kind = ''] = match
  const gateway = gw as GatewayId
  if (direction === 'up' && UP_KINDS.includes(kind)) {
    return { direction: 'up', shard, gateway, kind: kind as UpKind }
  }
  if (direction === 'dn' && DOWN_KINDS.includes(kind)) {
    return { direction: 'dn', shard, gateway, kind: kind as DownKind }
  }
  return undefined
}

/** Topics of the gateway's own broker (wire.md, section 2). */
export type LocalTopic =
  | { what: 'gateway-status'; gateway: GatewayId }
  | { what: 'device-status' | 'command' | 'command-result' | 'in'; gateway: GatewayId; device: DeviceId }
  | { what: 'readings'; gateway: GatewayId; device: DeviceId; sensor: SensorName }

const DEVICE_LEAF = {
  'device-status': 'status',
  command: 'cmd',
  'command-result': 'cmd/result',
  in: 'in',
} as const

/** Builds the one spelling of a local topic. */
export function localTopic(topic: LocalTopic): string {
  switch (topic.what) {
    case 'gateway-status':
      return `headgate/${topic.gateway}/status`
    case 'readings':
      return `headgate/${topic.gateway}/${topic.device}/${topic.sensor}/readings`
    case 'device-status':
    case 'command':
    case 'command-result':
    case 'in':
      return `headgate/${topic.gateway}/${topic.device}/${DEVICE_LEAF[topic.what]}`
  }
}

/** The inverse of `localTopic`; undefined for any other topic. */
export function parseLocalTopic(topic: string): LocalTopic | undefined {
  const levels = topic.split('/')
  if (levels[0] !== 'headgate') return undefined
  const gateway = GatewayId.safeParse(levels[1])
  if (!gateway.success) return undefined
  if (levels.length === 3 && levels[2] === 'status') return { what: 'gateway-status', gateway: gateway.data }
  const device = DeviceId.safeParse(levels[2])
  if (!device.success) return undefined
  return parseDeviceTopic(gateway.data, device.data, levels.slice(3))
}

function parseDeviceTopic(gateway: GatewayId, device: DeviceId, rest: string[]): LocalTopic | undefined {
  const leaf = rest.join('/')
  for (const what of ['device-status', 'command', 'command-result', 'in'] as const) {
    if (leaf === DEVICE_LEAF[what]) return { what, gateway, device }
  }
  const sensor = SensorName.safeParse(rest[0])
  if (rest.length === 2 && rest[1] === 'readings' && sensor.success) {
    return { what: 'readings', gateway, device, sensor: sensor.data }
  }
  return undefined
}
