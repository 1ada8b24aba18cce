import { connect, type IClientOptions, type MqttClient } from 'mqtt'
import { SyncError } from '../contract/index.ts'

const MQTT_3_1_1 = 4
/** QoS 1 on both ways; a grant of 128 is a refusal [MQTT-3.9.3]. */
const REFUSED = 128

export interface ConnectionSettings {
  readonly url: string
  readonly client: Pick<IClientOptions, 'clientId' | 'username' | 'password' | 'keepalive' | 'will'> &
    Pick<IClientOptions, 'ca' | 'cert' | 'key'>
  readonly connectTimeoutMs: number
}

export interface ConnectionEvents {
  readonly opened: () => void
  readonly message: (topic: string, payload: Uint8Array) => void
  /** Once, and nothing after it. */
  readonly closed: (because: Error) => void
}

export interface Connection {
  /** Rejects where the broker refuses the filter. */
  subscribe(filter: string): Promise<void>
  /** Resolves at the broker's receipt, which says nothing about the ledger; rejects where the connection ends before. */
  publish(topic: string, payload: Uint8Array, retain: boolean): Promise<void>
  /** Ends it now; `closed` is called. */
  cut(because: Error): void
  /** DISCONNECT, so that the broker drops the will; then as `cut`. */
  leave(): Promise<void>
  readonly bytes: Traffic
}

export interface Traffic {
  readonly in: number
  readonly out: number
  /** Keep-alive pings sent. */
  readonly pings: number
  /** Own address; null before and after the connection. */
  readonly localAddress: string | null
}

/** One MQTT 3.1.1 connection with a clean session and no life after it: whoever wants another opens another. */
export function openConnection(settings: ConnectionSettings, events: ConnectionEvents): Connection {
  const client = connect(settings.url, {
    ...settings.client,
    protocolVersion: MQTT_3_1_1,
    clean: true,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    connectTimeout: settings.connectTimeoutMs,
  })
  let isClosed = false
  let last = { in: 0, out: 0 }
  let pings = 0
  client.on('packetsend', ({ cmd }) => {
    if (cmd === 'pingreq') pings += 1
  })
  const bytesNow = (): { in: number; out: number } => {
    // Until the stream is there, and for streams that do not count, what was last known.
    const counting = client.stream as { bytesRead?: number; bytesWritten?: number } | undefined
    last = { in: counting?.bytesRead ?? last.in, out: counting?.bytesWritten ?? last.out }
    return last
  }
  const close = (because: Error): void => {
    if (isClosed) return
    isClosed = true
    bytesNow()
    client.end(true)
    events.closed(because)
  }
  client.on('connect', () => {
    if (!isClosed) events.opened()
  })
  client.on('message', (topic, payload) => {
    if (!isClosed) events.message(topic, payload)
  })
  client.on('error', close)
  client.on('close', () => {
    close(new SyncError('SYNC_LINK_DOWN', 'The connection was closed.'))
  })
  return {
    subscribe: (filter) => subscribe(client, filter),
    publish: async (topic, payload, retain) => {
      await client.publishAsync(topic, Buffer.from(payload.buffer, payload.byteOffset, payload.length), {
        qos: 1,
        retain,
      })
    },
    cut: close,
    leave: async () => {
      if (isClosed) return
      await client.endAsync()
      close(new SyncError('SYNC_LINK_DOWN', 'The gateway left.'))
    },
    get bytes() {
      const stream = client.stream as { localAddress?: string } | undefined
      const localAddress = isClosed ? null : (stream?.localAddress ?? null)
      return { ...(isClosed ? last : bytesNow()), pings, localAddress }
    },
  }
}

async function subscribe(client: MqttClient, filter: string): Promise<void> {
  const granted = await client.subscribeAsync(filter, { qos: 1 })
  if (granted.some(({ qos }) => qos === REFUSED)) {
    throw new SyncError('SYNC_LINK_DOWN', 'The broker refuses the subscription.')
  }
}

/** A PUBLISH of QoS 1: type, remaining length, topic with its length, packet id, payload. */
export function publishBytes(topic: string, payload: Uint8Array): number {
  const remaining = 2 + topic.length + 2 + payload.length
  const lengthBytes = remaining < 128 ? 1 : remaining < 16_384 ? 2 : 3
  return 1 + lengthBytes + remaining
}
