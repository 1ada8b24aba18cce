import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { createInterface } from 'node:readline'
import { AgentError } from '../errors.ts'
import { socketPath } from './server.ts'
import type { ReadingFacts } from './state.ts'

const ANSWER_MS_MAX = 10_000

async function ask(dataDir: string, path: string): Promise<IncomingMessage> {
  const asked = request({ socketPath: socketPath(dataDir), path })
  asked.end()
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
  if (response.statusCode === 200) return response
  response.destroy()
  throw new AgentError('GATEWAY_ANSWER_UNKNOWN', `The gateway answers ${response.statusCode ?? 0} to ${path}`)
}

/** GET from the gateway that works in this data folder. @throws AgentError GATEWAY_… */
export async function askGateway(dataDir: string, path: string): Promise<unknown> {
  const response = await ask(dataDir, path)
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk)
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
