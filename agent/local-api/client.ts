import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { AgentError } from '../errors.ts'
import { socketPath } from './server.ts'
import type { ReadingFacts } from './state.ts'

const ANSWER_MS_MAX = 10_000
const POLICY_PATH = '/v1/policy'

/** What the gateway refused, with its own code and hint. */
class GatewayRefusal extends Error {
  readonly code: string
  readonly hint: string
  constructor({ code, title, detail, hint }: z.infer<typeof Problem>) {
    // Where there is a detail, the title only names the kind of the problem (RFC 9457, 3.1).
    super(detail ?? title)
    this.name = 'GatewayRefusal'
    this.code = code
    this.hint = hint
  }
}

const Problem = z.object({
  code: z.string(),
  title: z.string(),
  detail: z.string().optional(),
  hint: z.string(),
})

/** What is asked besides the path. */
export interface Asking {
  /** POST with this as JSON, bytes as they are; absent = GET. */
  readonly body?: unknown
  /** In whose name: `organisation:name` and its key. */
  readonly login?: { readonly name: string; readonly key: string }
}

const isAnswer = ({ statusCode }: IncomingMessage, path: string): boolean =>
  // A policy that is refused is an answer too.
  statusCode === 200 || (statusCode === 409 && path === POLICY_PATH)

function opened(dataDir: string, path: string, { body, login }: Asking): ClientRequest {
  const method = body === undefined ? 'GET' : 'POST'
  const headers: Record<string, string> = {}
  const isBytes = body instanceof Uint8Array
  if (body !== undefined) headers['content-type'] = isBytes ? 'application/octet-stream' : 'application/json'
  if (login !== undefined)
    headers['authorization'] = `Basic ${Buffer.from(`${login.name}:${login.key}`).toString('base64')}`
  const asked = request({ socketPath: socketPath(dataDir), path, method, headers })
  return asked.end(body === undefined || isBytes ? body : JSON.stringify(body))
}

async function ask(dataDir: string, path: string, asking: Asking = {}): Promise<IncomingMessage> {
  const asked = opened(dataDir, path, asking)
  let response: IncomingMessage
  try {
    ;[response] = (await once(asked, 'response', { signal: AbortSignal.timeout(ANSWER_MS_MAX) })) as [
      IncomingMessage,
    ]
  } catch (cause) {
    // What else it says, now that nobody waits for it, is of no interest.
    asked.on('error', () => undefined).destroy()
    if ((cause as NodeJS.ErrnoException).code === 'EACCES') {
      throw new AgentError('GATEWAY_NOT_ALLOWED', `This user may not ask the gateway in ${dataDir}`, {
        cause,
      })
    }
    throw new AgentError('GATEWAY_NOT_RUNNING', `No gateway answers in ${dataDir}`, { cause })
  }
  if (isAnswer(response, path)) return response
  const isProblem = response.headers['content-type'] === 'application/problem+json'
  if (isProblem && response.statusCode !== 500) throw refusalIn(await textOf(response))
  response.destroy()
  throw new AgentError('GATEWAY_ANSWER_UNKNOWN', `The gateway answers ${response.statusCode ?? 0} to ${path}`)
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk)
  return text
}

const refusalIn = (text: string): Error => new GatewayRefusal(Problem.parse(JSON.parse(text)))

/** Asks the gateway that works in this data folder. @throws AgentError GATEWAY_…, or what the gateway refused it with */
export async function askGateway(dataDir: string, path: string, asking: Asking = {}): Promise<unknown> {
  const text = await textOf(await ask(dataDir, path, asking))
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new AgentError('GATEWAY_ANSWER_UNKNOWN', `The gateway's answer to ${path} is no JSON`, { cause })
  }
}

/** Every stored reading that fits, as they come. */
export async function* askReadings(
  dataDir: string,
  query: Readonly<Record<string, string>>,
): AsyncGenerator<ReadingFacts> {
  const response = await ask(dataDir, `/v1/readings?${new URLSearchParams(query).toString()}`)
  for await (const line of createInterface({ input: response })) yield JSON.parse(line) as ReadingFacts
}

/** Hands over a policy's bytes; answers what became of it, refusals included. @throws AgentError GATEWAY_… */
export const givePolicy = (dataDir: string, bytes: Uint8Array): Promise<unknown> =>
  askGateway(dataDir, POLICY_PATH, { body: bytes })

/** The policy in force as it was signed. @throws AgentError GATEWAY_…, or what the gateway refuses with */
export async function askPolicyBytes(dataDir: string): Promise<Uint8Array> {
  const response = await ask(dataDir, `${POLICY_PATH}/bytes`)
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
