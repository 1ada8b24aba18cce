import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AgentError } from '../errors.ts'
import { bearerClient, type CloudClient } from './cloud-client.ts'
import { warn } from './cloud-member.ts'

/** The operator asks on the machine of the cloud. */
export interface OperatorOptions {
  /** cloud.yaml: names the data folder with the operator's token, and where the API listens. */
  readonly config?: string
  readonly url?: string
  readonly tokenFile?: string
}

/** @throws AgentError USAGE, CONFIG_UNREADABLE */
export async function operatorClient({ config, url, tokenFile }: OperatorOptions): Promise<CloudClient> {
  const configured = config === undefined ? undefined : (await cloudParts()).readCloudConfig(config)
  const file = tokenFile ?? (configured && join(configured.dataDir, 'operator.token'))
  const address = url ?? (configured && `http://${configured.listen.http}`)
  if (file === undefined || address === undefined)
    throw new AgentError('USAGE', 'which cloud: --config FILE (cloud.yaml), or --url and --token-file')
  return bearerClient(address, operatorToken(file), warn)
}

const cloudParts = () => import('../../cloud-sync/cloud/index.ts')

function operatorToken(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw new AgentError('CONFIG_UNREADABLE', `Cannot read the operator's token ${file}`, { cause })
  }
}
