import { AgentError } from '../errors.ts'
import { bearerClient, type CloudClient, cloudClient, keyOf } from './cloud-client.ts'
import { processTerminal } from './output.ts'

/** Who asks a cloud in the name of an organisation. */
export interface MemberLogin {
  readonly url?: string
  /** `organisation:name` of an API key. */
  readonly login?: string
  /** With the secret of a session in the key file instead. */
  readonly organisation?: string
  readonly keyFile?: string
}

export const warn = (text: string): void => {
  processTerminal.err(`warning: ${text}\n`)
}

/** Asks with a key by its name, or with a session's secret for an organisation. @throws AgentError USAGE */
export async function memberClient({
  url,
  login,
  organisation,
  keyFile,
}: MemberLogin): Promise<{ client: CloudClient; org: string }> {
  if (url === undefined) throw new AgentError('USAGE', 'which cloud: --url, e.g. https://cloud.example')
  if (login !== undefined) {
    const client = await cloudClient({ url, login, ...(keyFile !== undefined && { keyFile }) }, warn)
    return { client, org: login.slice(0, login.indexOf(':')) }
  }
  if (organisation === undefined)
    throw new AgentError('USAGE', 'who asks: --login ORG:KEY, or --organisation ORG with a session')
  return { client: bearerClient(url, await keyOf(keyFile), warn), org: organisation }
}
