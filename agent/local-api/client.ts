import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { createInterface } from 'node:readline'
import { AgentError } from '../errors.ts'
import { socketPath } from './server.ts'
import type { ReadingFacts } from './state.ts'

async function ask(dataDir: string, path: string): Promise<IncomingMessage> {
  const asked = request({ socketPath: socketPath(dataDir), path, timeout: 10_000 })
  asked.end()
  try {
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    return response
  } catch (cause) {
    throw new AgentError('GATEWAY_NOT_RUNNING', `No gateway answers in ${dataDir}`, { cause })
  }
}

/** GET from the gateway that works in this data folder. Throws GATEWAY_NOT_RUNNING. */
export async function askGateway(dataDir: string, path: string): Promise<unknown> {
  const response = await ask(dataDir, path)
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk)
  return JSON.parse(text) as unknown
}

/** Every stored reading that fits, as they come. */
export async function* askReadings(
  dataDir: string,
  query: Readonly<Record<string, string>>,
): AsyncGenerator<ReadingFacts> {
  const response = await ask(dataDir, `/v1/readings?${new URLSearchParams(query).toString()}`)
  for await (const line of createInterface({ input: response })) yield JSON.parse(line) as ReadingFacts
}
