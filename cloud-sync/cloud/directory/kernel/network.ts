import { isIPv6 } from 'node:net'

/** Groups of 16 bits of an IPv6 address, and those of them that name a network (RFC 4291, 2.5.1). */
const GROUPS = 8
const NETWORK_GROUPS = 4
/** `::ffff:0:0/96` (RFC 4291, 2.5.5.2): an IPv4 address in another spelling. */
const MAPPED = '0:0:0:0:0:ffff'

/**
 * What limits count by. One host has all 2^64 addresses of an IPv6 network and takes another one for each request; an
 * IPv4 address, and whatever is no address, stands for itself.
 */
export function networkOf(address: string): string {
  const [plain = ''] = address.split('%')
  if (!isIPv6(plain)) return address
  const groups = groupsOf(plain)
  if (groups.slice(0, MAPPED.split(':').length).join(':') !== MAPPED)
    return `${groups.slice(0, NETWORK_GROUPS).join(':')}::/64`
  const [high = 0, low = 0] = groups.slice(-2).map((group) => parseInt(group, 16))
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

/** All eight, without leading zeros. */
function groupsOf(address: string): string[] {
  // The URL standard writes each address in one way, in hexadecimal digits alone.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [head = [], tail = []] = canonical
    .split('::')
    .map((half) => half.split(':').filter((group) => group !== ''))
  const zeros = Array.from({ length: GROUPS - head.length - tail.length }, () => '0')
  return [...head, ...zeros, ...tail]
}
