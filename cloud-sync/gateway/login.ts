import { cloudIdOf, signMessage, shardOf } from '../codec/index.ts'
import { upTopic } from '../contract/index.ts'
import type { ConnectionSettings } from './connection.ts'
import type { UplinkOptions } from './options.ts'

export const CONNECT_TIMEOUT_MS = 30_000

const KEEPALIVE_S = 900
export const OFFLINE = Buffer.from(JSON.stringify({ online: false }))

/** Client id and user name are the gateway id, the password is a signed login; the will says offline. */
export function connectionSettings(options: UplinkOptions, connectTimeoutMs: number): ConnectionSettings {
  const { url, tls, gatewayId, key, keepaliveS, trust } = options
  const body = new TextEncoder().encode(gatewayId)
  const login = signMessage({ kind: 'login', recipient: cloudIdOf(trust), body, key })
  const topic = upTopic(shardOf(gatewayId), gatewayId, 'status')
  return {
    url,
    client: {
      ...tls,
      clientId: gatewayId,
      username: gatewayId,
      password: Buffer.from(login).toString('base64'),
      keepalive: keepaliveS ?? KEEPALIVE_S,
      will: { topic, payload: OFFLINE, qos: 1, retain: true },
    },
    connectTimeoutMs,
  }
}
