import { isIP } from 'node:net'

interface OriginQuestion {
  /** As the browser says; undefined from whatever is no browser. */
  readonly origin: string | undefined
  readonly host: string | undefined
  readonly allowed: readonly string[]
}

/**
 * May the web page this request comes from use the listener? A browser lets every page open a WebSocket to every
 * address its user can reach, loopback too, so the listener must look (RFC 6455, 10.2). A page of the same address
 * may where that is a number or localhost. A name proves nothing: whoever owns it can let it mean 127.0.0.1 for a
 * while (DNS rebinding), so pages of named hosts are listed.
 */
export function originIsAllowed({ origin, host, allowed }: OriginQuestion): boolean {
  if (origin === undefined || allowed.includes('*') || allowed.includes(origin)) return true
  const page = hostnameOf(origin)
  const own = hostnameOf(`http://${host ?? ''}`)
  return page !== null && page === own && (page === 'localhost' || isIP(page.replace(/^\[|\]$/g, '')) !== 0)
}

function hostnameOf(url: string): string | null {
  return URL.canParse(url) ? new URL(url).hostname : null
}
