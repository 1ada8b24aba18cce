import { type Context, Hono } from 'hono'
import type { Log } from '../../log.ts'
import { ApiError } from '../problem.ts'
import type { Allowances } from './allowance.ts'
import { documentOf } from './document.ts'
import type { Behind, Operation } from './route.ts'
import { csrfTokenOf } from './credentials.ts'
import { ROUTES } from './routes/index.ts'
import { directoryAnswer, guarded, type Serving } from './serve.ts'
import { SHOW_SESSION, SIGN_IN, SIGN_OUT, signIn, signOut } from './sessions.ts'

export interface DirectoryApiSettings extends Behind {
  /** Refuses who is not the operator of this machine. */
  readonly assertOperator: (c: Context) => void
  /** Whence a request comes: what limits and the audit count by. */
  readonly addressOf: (c: Context) => string
  readonly allowances: Allowances
  readonly log: Log
}

export { type Allowances, createAllowances } from './allowance.ts'

type Handler = (c: Context) => Promise<Response>
interface Endpoint {
  readonly operation: Operation
  readonly handle: Handler
}

/** Everything of the directory of organisations over HTTP, and the OpenAPI document that tells of it. */
export function directoryRoutes({
  directory,
  billing,
  assertOperator,
  addressOf,
  allowances,
  log,
}: DirectoryApiSettings): Hono {
  const serving: Serving = {
    directory,
    billing,
    assertOperator,
    addressOf,
    log,
    allowances,
  }
  const endpoints = [...sessionEndpoints(serving), ...directoryEndpoints(serving)]
  const document = JSON.stringify(documentOf(endpoints.map(({ operation }) => operation)))
  const app = new Hono()
  app.get('/v1/openapi.json', (c) => c.body(document, 200, { 'Content-Type': 'application/json' }))
  for (const [path, methods] of byPath(endpoints))
    app.all(path.replaceAll(/\{(\w+)\}/g, ':$1'), dispatch(methods))
  return app
}

function directoryEndpoints(serving: Serving): Endpoint[] {
  return ROUTES.map((route) => ({
    operation: route,
    handle: guarded(route, serving, directoryAnswer(route, serving)),
  }))
}

function sessionEndpoints(serving: Serving): Endpoint[] {
  const { directory } = serving
  return [
    {
      operation: SIGN_IN,
      handle: guarded(SIGN_IN, serving, async ({ c, sent, address }) =>
        c.json(await signIn(c, directory, { sent, address }), 201),
      ),
    },
    {
      operation: SHOW_SESSION,
      handle: guarded(SHOW_SESSION, serving, ({ c, caller }) =>
        Promise.resolve(c.json({ user: caller?.actor.user, csrf: csrfTokenOf(caller?.secret ?? '') })),
      ),
    },
    {
      operation: SIGN_OUT,
      handle: guarded(SIGN_OUT, serving, async ({ c, caller }) => {
        if (caller !== undefined) await signOut(c, directory, caller)
        return c.body(null, 204)
      }),
    },
  ]
}

function byPath(endpoints: readonly Endpoint[]): Map<string, Map<string, Handler>> {
  const paths = new Map<string, Map<string, Handler>>()
  for (const { operation, handle } of endpoints) {
    const methods = paths.get(operation.path) ?? new Map<string, Handler>()
    paths.set(operation.path, methods.set(operation.method, handle))
  }
  return paths
}

/** HEAD is GET without the body; OPTIONS tells the methods; no other site's page is let in, so there is no CORS. */
function dispatch(methods: ReadonlyMap<string, Handler>): Handler {
  const allow = [...methods.keys(), ...(methods.has('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ')
  return (c) => {
    const { method } = c.req
    const handle = methods.get(method === 'HEAD' ? 'GET' : method)
    if (handle !== undefined) return handle(c)
    if (method === 'OPTIONS') return Promise.resolve(c.body(null, 204, { Allow: allow }))
    throw new ApiError('API_METHOD_NOT_ALLOWED', `${method} is nothing here`, { headers: { Allow: allow } })
  }
}
