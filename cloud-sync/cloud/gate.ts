import { timingSafeEqual } from 'node:crypto'
import type { BrokerPolicy, Credentials, Principal } from '../../broker/index.ts'
import { downTopic, GatewayId, LINK_PAYLOAD_BYTES_MAX, parseLinkTopic, upTopic } from '../contract/index.ts'
import { NOBODYS_KEY, openMessage, sha256, shardOf, SIGNED_HEAD_BYTES } from '../codec/index.ts'

/** Client id and user name of the cloud's own session with its embedded broker. */
export const INGEST_LOGIN = 'cloud.ingest'
const CLOUD: CloudPrincipal = { id: 'cloud', gateway: null }
/** Longest password looked at, characters: a signed login is about 200. */
const PASSWORD_LENGTH_MAX = 1_024

/** A gateway by its id, or the cloud itself. */
export type CloudPrincipal = Principal & { readonly gateway: GatewayId | null }

export interface GateSettings {
  readonly cloudId: string
  /** Known to this process only, new at every start. */
  readonly ingestSecret: string
  publicKeyOf(gateway: GatewayId): string | undefined
}

/**
 * The embedded broker's policy: a gateway writes only its own `up/`, reads only its own `dn/`; only the cloud reads
 * every `up/` and writes `dn/`. A gateway proves itself with a signed login (kind `login`, to this cloud, body = its
 * id), in base64 as the password.
 */
export function cloudGate(settings: GateSettings): BrokerPolicy<CloudPrincipal> {
  const own = (gateway: GatewayId, direction: 'up' | 'dn'): string =>
    direction === 'up'
      ? upTopic(shardOf(gateway), gateway, 'status').slice(0, -'status'.length)
      : downTopic(shardOf(gateway), gateway, 'cmd').slice(0, -'cmd'.length)
  return {
    connect(credentials) {
      const principal = whoIs(settings, credentials)
      return Promise.resolve(
        principal === undefined
          ? { allowed: false, because: 'bad-credentials' }
          : { allowed: true, principal },
      )
    },
    principal(id) {
      if (id === CLOUD.id) return CLOUD
      const gateway = GatewayId.safeParse(id.replace(/^gateway:/, ''))
      if (!gateway.success || settings.publicKeyOf(gateway.data) === undefined) return undefined
      return { id, gateway: gateway.data }
    },
    mayPublish({ gateway }, { topic, retain, payloadBytes }) {
      const allowed =
        gateway === null
          ? isDown(topic)
          : topic.startsWith(own(gateway, 'up')) && isUp(topic, { retain, payloadBytes })
      return allowed ? 'allow' : 'quarantine'
    },
    maySubscribe: ({ gateway }, filter) => gateway === null || filter.startsWith(own(gateway, 'dn')),
    mayReceive: ({ gateway }, topic) => gateway === null || topic.startsWith(own(gateway, 'dn')),
  }
}

/** One retained message a gateway, and no topics of its own making: what the broker keeps belongs to all. */
function isUp(topic: string, { retain, payloadBytes }: { retain: boolean; payloadBytes: number }): boolean {
  const kind = parseLinkTopic(topic)?.kind
  if (kind === undefined || payloadBytes > LINK_PAYLOAD_BYTES_MAX + SIGNED_HEAD_BYTES) return false
  return !retain || kind === 'status'
}

const isDown = (topic: string): boolean => /^hg1\/[0-9a-f]{2}\/[^/]+\/dn\//.test(topic)

function whoIs(settings: GateSettings, credentials: Credentials): CloudPrincipal | undefined {
  const { clientId, username, password } = credentials
  // The client id is bound to the login: nobody takes over another's session (reliability.md, T1).
  if (password === null || username !== clientId || password.length > PASSWORD_LENGTH_MAX) return undefined
  if (clientId === INGEST_LOGIN) {
    return isSame(password, settings.ingestSecret) ? CLOUD : undefined
  }
  const gateway = GatewayId.safeParse(clientId)
  if (!gateway.success || !isSigned(settings, gateway.data, password)) return undefined
  return { id: `gateway:${gateway.data}`, gateway: gateway.data }
}

function isSigned(settings: GateSettings, gateway: GatewayId, password: Uint8Array): boolean {
  const known = settings.publicKeyOf(gateway)
  // Checked against some key in any case: how long it took tells nobody which serial numbers there are.
  const publicKey = known ?? NOBODYS_KEY
  const opened = openMessage({
    kind: 'login',
    recipient: settings.cloudId,
    message: Buffer.from(Buffer.from(password).toString('latin1'), 'base64'),
    publicKeyFor: () => publicKey,
  })
  return known !== undefined && opened.ok && Buffer.from(opened.body).toString('utf8') === gateway
}

const isSame = (given: Uint8Array, secret: string): boolean =>
  timingSafeEqual(Buffer.from(sha256(given)), Buffer.from(sha256(Buffer.from(secret))))
