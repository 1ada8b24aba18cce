import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { AgentError } from '../errors.ts'

const ANSWER_MS_MAX = 30_000
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/** Who asks which cloud. */
export interface CloudLogin {
  readonly url: string
  /** `organisation:name` of an API key. */
  readonly login: string
  /** File with the key; without it the environment's HEADGATE_KEY. */
  readonly keyFile?: string
}

/** What the cloud refused, with its own code and hint. */
class CloudRefusal extends Error {
  readonly code: string
  readonly hint: string
  constructor({ code, detail, hint }: z.infer<typeof Problem>) {
    // The title only says the code again; what was refused, and which right is missing, is in the detail (RFC 9457, 3.1).
    super(detail)
    this.name = 'CloudRefusal'
    this.code = code
    this.hint = hint
  }
}

const Problem = z.object({ code: z.string(), detail: z.string(), hint: z.string() })

type Query = Readonly<Record<string, string | undefined>>

export interface CloudClient {
  /** GET as JSON. @throws AgentError CLOUD_UNREACHABLE, CLOUD_ANSWER_UNKNOWN, or what the cloud refused it with. */
  get<T>(path: string, query: Query, shape: z.ZodType<T>): Promise<T>
  /** GET of something that is no JSON. @throws AgentError as `get` */
  file(path: string, query: Query): Promise<Uint8Array>
  /**
   * Writes. It may be sent again under the same key without a second effect: a connection that broke is tried once more.
   * @throws AgentError as `get`
   */
  send<T>(line: string, body: object | undefined, shape: z.ZodType<T>): Promise<T>
  /** GET of something long, in pieces as they come; a name may stand several times. @throws AgentError as `get` */
  pieces(path: string, query: readonly (readonly [string, string])[]): AsyncIterable<Uint8Array>
}

/** @throws AgentError USAGE where the address or the login is none, CONFIG_UNREADABLE for the key file */
export async function cloudClient(given: CloudLogin, warn: (text: string) => void): Promise<CloudClient> {
  const base = addressOf(given.url)
  if (!/^[^:\s]+:[^:\s]+$/.test(given.login)) {
    throw new AgentError('USAGE', `--login ${given.login}: organisation and name of the key, as acme:ana`)
  }
  const key = await keyOf(given.keyFile)
  warnOfPlain(base, warn)
  return clientAt(base, `Basic ${Buffer.from(`${given.login}:${key}`).toString('base64')}`)
}

/** With the secret of a session or of a key. @throws AgentError USAGE */
export function bearerClient(url: string, secret: string, warn: (text: string) => void): CloudClient {
  const base = addressOf(url)
  warnOfPlain(base, warn)
  return clientAt(base, `Bearer ${secret}`)
}

/** For what anybody may ask. @throws AgentError USAGE */
export const openClient = (url: string): CloudClient => clientAt(addressOf(url), undefined)

function warnOfPlain(base: URL, warn: (text: string) => void): void {
  if (base.protocol === 'http:' && !LOOPBACK.has(base.hostname)) {
    warn(`the key goes unprotected over the network to ${base.host}; use https where you can`)
  }
}

function clientAt(base: URL, authorization: string | undefined): CloudClient {
  const signed = authorization === undefined ? {} : { authorization }
  const to = (path: string): URL => new URL(`${base.pathname.replace(/\/$/, '')}${path}`, base)
  const asked = (path: string, query: Query): URL => {
    const url = to(path)
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, value)
    }
    return url
  }
  return {
    get: async (path, query, shape) =>
      shaped(await answerTo(asked(path, query), { headers: signed }), shape, base),
    async file(path, query) {
      const { ok, bytes } = await bytesFrom(asked(path, query), { headers: signed })
      if (!ok) throw refusalIn(jsonIn(bytes, base), base)
      return bytes
    },
    async send(line, body, shape) {
      const [method = '', path = ''] = line.split(' ')
      const headers = {
        ...signed,
        'idempotency-key': randomUUID(),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      }
      const request = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
      const answer = await answerTo(to(path), request).catch((error: unknown) => {
        if (error instanceof AgentError && error.code === 'CLOUD_UNREACHABLE')
          return answerTo(to(path), request)
        throw error
      })
      return shaped(answer, shape, base)
    },
    async *pieces(path, query) {
      const url = to(path)
      for (const [name, value] of query) url.searchParams.append(name, value)
      yield* bodyOf(url, signed)
    },
  }
}

/** How long it takes altogether depends on its length; how long nothing comes does not. */
async function* bodyOf(url: URL, headers: Record<string, string>): AsyncGenerator<Uint8Array> {
  const silence = new AbortController()
  const timer = setTimeout(() => {
    silence.abort(new Error('no answer in time'))
  }, ANSWER_MS_MAX)
  try {
    const response = await fetch(url, { headers, redirect: 'manual', signal: silence.signal })
    if (!response.ok) throw refusalIn(await response.json().catch(() => undefined), url)
    for await (const piece of response.body ?? []) {
      timer.refresh()
      yield piece as Uint8Array
    }
  } catch (cause) {
    if (cause instanceof CloudRefusal || cause instanceof AgentError) throw cause
    throw new AgentError('CLOUD_UNREACHABLE', `${url.origin} does not answer: ${reasonIn(cause)}`, { cause })
  } finally {
    clearTimeout(timer)
  }
}

function shaped<T>({ ok, body }: { ok: boolean; body: unknown }, shape: z.ZodType<T>, base: URL): T {
  if (!ok) throw refusalIn(body, base)
  const parsed = shape.safeParse(body)
  if (!parsed.success) throw strange(base, { cause: parsed.error })
  return parsed.data
}

function addressOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new AgentError('USAGE', `--url ${text}: an address such as http://127.0.0.1:8090 is wanted`)
  }
  return url
}

/** The key in the file, else in the environment's HEADGATE_KEY. @throws AgentError USAGE, CONFIG_UNREADABLE */
export async function keyOf(file: string | undefined): Promise<string> {
  if (file === undefined) {
    const key = process.env['HEADGATE_KEY']
    if (key === undefined || key === '')
      throw new AgentError('USAGE', 'no key: name its file by --key-file, or set HEADGATE_KEY')
    return key
  }
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (cause) {
    throw new AgentError('CONFIG_UNREADABLE', `Cannot read the key file ${file}`, { cause })
  }
}

async function answerTo(url: URL, init: RequestInit): Promise<{ ok: boolean; body: unknown }> {
  const { ok, bytes } = await bytesFrom(url, init)
  return { ok, body: jsonIn(bytes, url) }
}

/** Redirects are not followed: the key is for this address alone. */
async function bytesFrom(url: URL, init: RequestInit): Promise<{ ok: boolean; bytes: Uint8Array }> {
  try {
    const response = await fetch(url, {
      ...init,
      redirect: 'manual',
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    })
    return { ok: response.ok, bytes: await response.bytes() }
  } catch (cause) {
    throw new AgentError('CLOUD_UNREACHABLE', `${url.origin} does not answer: ${reasonIn(cause)}`, { cause })
  }
}

function jsonIn(bytes: Uint8Array, url: URL): unknown {
  try {
    return bytes.length === 0 ? undefined : (JSON.parse(new TextDecoder().decode(bytes)) as unknown)
  } catch (cause) {
    throw strange(url, { cause })
  }
}

/** fetch says only that it failed; why is in its cause. */
function reasonIn(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (!(inner instanceof Error)) return String(inner)
  const { code } = inner as NodeJS.ErrnoException
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connection refused',
    ENOTFOUND: 'there is no such host',
    EAI_AGAIN: 'the name cannot be resolved now',
  }
  return known[code ?? ''] ?? (inner.name === 'TimeoutError' ? 'no answer in time' : inner.message)
}

function refusalIn(body: unknown, base: URL): Error {
  const problem = Problem.safeParse(body)
  return problem.success ? new CloudRefusal(problem.data) : strange(base)
}

const strange = ({ origin }: URL, options?: ErrorOptions): AgentError =>
  new AgentError('CLOUD_ANSWER_UNKNOWN', `${origin} does not answer as a headgate cloud does`, options)
