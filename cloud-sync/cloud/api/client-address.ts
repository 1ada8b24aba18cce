import { BlockList, isIP } from 'node:net'
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'

/** Longest `X-Forwarded-For` looked at, characters. */
const HEADER_LENGTH_MAX = 1_024

/** Whence a request comes. */
export interface ClientAddress {
  /** The address that limits and the audit count by. */
  of(c: Context): string
  /** Whether it was made on this machine and by nobody's order from elsewhere. */
  isLocal(c: Context): boolean
}

/** `192.0.2.7` or `2001:db8::/32`; undefined where it is neither. */
export function parseNetwork(
  text: string,
): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [address = '', bits, ...more] = text.split('/')
  const version = isIP(address)
  if (version === 0 || more.length > 0) return undefined
  const longest = version === 4 ? 32 : 128
  const prefix = bits === undefined ? longest : /^\d{1,3}$/.test(bits) ? Number(bits) : Infinity
  return prefix > longest ? undefined : { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' }
}

/**
 * The address of the connection, or, where that is a trusted proxy's, the nearest one in `X-Forwarded-For` that is not: a
 * proxy appends the peer that it saw, so what stands further left is only what that peer says. Nobody else is believed.
 * @param trustedProxies addresses and networks, as `parseNetwork` takes them
 */
export function clientAddress(trustedProxies: readonly string[]): ClientAddress {
  const trusted = new BlockList()
  for (const network of trustedProxies.flatMap((text) => parseNetwork(text) ?? []))
    trusted.addSubnet(network.address, network.prefix, network.family)
  const isTrusted = (address: string): boolean =>
    isIP(address) !== 0 && trusted.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')
  const of = (c: Context): string => {
    let nearest = plain(peerOf(c))
    const header = forwarded(c) ?? ''
    const hops = header.length > HEADER_LENGTH_MAX ? [] : header.split(',').reverse()
    for (const hop of hops) {
      const address = plain(hop.trim())
      if (!isTrusted(nearest) || isIP(address) === 0) break
      nearest = address
    }
    return nearest
  }
  return {
    of,
    isLocal: (c) => {
      const address = of(c)
      // A proxy on this machine that is not named as one would bring the world in as local.
      const isForwarded = forwarded(c) !== undefined && !isTrusted(plain(peerOf(c)))
      return LOOPBACK.has(address) && !isForwarded
    },
  }
}

const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1'])
const peerOf = (c: Context): string => (c.env as HttpBindings).incoming.socket.remoteAddress ?? 'unknown'
const forwarded = (c: Context): string | undefined => c.req.header('X-Forwarded-For')
/** An IPv4 address on an IPv6 socket is one address with two spellings. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '')
