import type { IncomingMessage } from 'node:http'
import { Hono } from 'hono'
import { AgentError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Variables } from './caller.ts'
import { problemFor } from './problem.ts'

/** Adds routes of one subject; each file of routes has one. */
export type Mount = (app: Hono<{ Variables: Variables }>) => void

interface Bindings {
  readonly incoming: IncomingMessage
}

/**
 * The routes of the gateway's HTTP doors. A page of another site is refused whatever it asks: a browser would send the
 * key it knows along. So is who asks for a name that is not the gateway's: a page whose own name was made to lead here
 * (DNS rebinding) asks by that name.
 */
export function consoleApp(
  log: Log,
  mounts: readonly Mount[],
  isOwnHost: (host: string | undefined) => boolean = () => true,
): Hono<{ Variables: Variables }> {
  const app = new Hono<{ Variables: Variables }>()
  app.onError(problemFor(log))
  app.notFound(() => {
    throw new AgentError('CONSOLE_NOT_FOUND', 'there is nothing here')
  })
  app.use(async (c, next) => {
    const env = c.env as Partial<Bindings> | undefined
    c.set('address', env?.incoming?.socket.remoteAddress ?? 'unix')
    if (!isOwnHost(c.req.header('Host')))
      throw new AgentError('CONSOLE_NOT_ALLOWED', 'this gateway is not called that; see console.names')
    const origin = c.req.header('Origin')
    if (origin !== undefined && hostOf(origin) !== c.req.header('Host'))
      throw new AgentError('CONSOLE_NOT_ALLOWED', 'pages of other sites may not ask')
    await next()
    c.header('Cache-Control', 'no-store')
    c.header('X-Content-Type-Options', 'nosniff')
  })
  for (const mount of mounts) mount(app)
  return app
}

const hostOf = (origin: string): string | undefined =>
  URL.canParse(origin) ? new URL(origin).host : undefined
