import { join } from 'node:path'
import { type Context, Hono } from 'hono'
import { onTestFinished } from 'vitest'
import { clientAddress } from '../../cloud-sync/cloud/api/client-address.ts'
import { createAllowances, directoryRoutes } from '../../cloud-sync/cloud/api/directory/index.ts'
import { withSafeHeaders } from '../../cloud-sync/cloud/api/headers.ts'
import { withoutNul } from '../../cloud-sync/cloud/api/nul.ts'
import { operatorGuard } from '../../cloud-sync/cloud/api/operator.ts'
import { ApiError, problemFor } from '../../cloud-sync/cloud/api/problem.ts'
import { pageRoutes } from '../../cloud-sync/cloud/pages/index.ts'
import { serveHttp } from '../../cloud-sync/cloud/serve.ts'
import type { DatabaseTarget } from '../../cloud-sync/cloud/storage/index.ts'
import { type TestDesk, testDesk } from './billing-desk.ts'
import { openTestDirectory, type TestDirectory } from './directory-world.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { silent } from './test-ledger.ts'

export const OPERATOR_TOKEN = 'operator-token'

/** What came back. */
export interface Answered {
  readonly status: number
  readonly headers: Headers
  /** Parsed, where it is JSON; else its text. */
  readonly body: Readonly<Record<string, unknown>>
}

export interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** Idempotency key; absent = a new one for every write. */
  readonly key?: string
}

/** The HTTP API of a directory with a file of its own, on loopback. */
export interface DirectoryApi {
  readonly directory: TestDirectory
  readonly billing: TestDesk
  readonly url: string
  /** Moves the clock of the limits of requests. */
  passSeconds(seconds: number): void
  /** Asks with a secret of a session, key or the operator; undefined = nobody. */
  readonly ask: (secret: string | undefined, path: string, asked?: Asked) => Promise<Answered>
  /** The secret of a new session of somebody made by `directory.person`. */
  session(user: string): Promise<string>
}

export async function serveDirectory(
  target?: DatabaseTarget,
  trustedProxies: readonly string[] = [],
  desk: Parameters<typeof testDesk>[1] = {},
): Promise<DirectoryApi> {
  const path = join(temporaryFolder(), 'organisations.db')
  const directory = await openTestDirectory(target ?? { dialect: 'sqlite', path })
  onTestFinished(() => directory.close())
  let elapsed = 0
  const app = new Hono()
  app.onError(problemFor(stderr))
  app.use(withSafeHeaders)
  app.use(withoutNul)
  app.notFound(() => {
    throw new ApiError('API_NOT_FOUND', 'no such address')
  })
  const billing = await testDesk(directory, desk)
  const allowances = createAllowances(() => elapsed)
  const address = clientAddress(trustedProxies)
  const assertOperator = operatorGuard(OPERATOR_TOKEN, address)
  const addressOf = (c: Context) => address.of(c)
  app.route('/', directoryRoutes({ directory, billing, assertOperator, addressOf, allowances, log: silent }))
  app.route('/', pageRoutes())
  const http = await serveHttp(app, '127.0.0.1:0')
  onTestFinished(() => http.stop())
  let keys = 0
  const ask: DirectoryApi['ask'] = async (secret, where, asked = {}) => {
    const response = await fetch(
      `${http.url}${where}`,
      requestOf(secret, asked, () => `test-${(keys += 1)}`),
    )
    const text = await response.text()
    const isJson = /json/.test(response.headers.get('Content-Type') ?? '') && text !== ''
    const body = (isJson ? JSON.parse(text) : { text }) as Answered['body']
    return { status: response.status, headers: response.headers, body }
  }
  return {
    directory,
    billing,
    url: http.url,
    passSeconds: (seconds) => void (elapsed += seconds * 1_000),
    ask,
    async session(user) {
      const { body } = await ask(undefined, '/v1/sessions', {
        method: 'POST',
        body: { login: user, password: `${user}-password` },
      })
      return String(body['secret'])
    },
  }
}

const SAFE: readonly string[] = ['GET', 'HEAD', 'OPTIONS']

function requestOf(
  secret: string | undefined,
  { method = 'GET', headers = {}, body, key }: Asked,
  newKey: () => string,
): RequestInit {
  return {
    method,
    headers: {
      ...(secret === undefined ? {} : { Authorization: `Bearer ${secret}` }),
      ...(SAFE.includes(method) ? {} : { 'Idempotency-Key': key ?? newKey() }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  }
}

/** A fault of ours must be seen where the test runs. */
const stderr = {
  info: () => undefined,
  warn: () => undefined,
  error: (about: object, text: string) =>
    void process.stderr.write(`${text} ${String((about as { err?: unknown }).err)}\n`),
}
