import { once } from 'node:events'
import type { RunningCloud } from '../../cloud-sync/cloud/index.ts'
import { AgentError } from '../errors.ts'
import { toJson } from '../json.ts'
import { createLog } from '../log.ts'
import { interrupted, renewOnHangup } from './interrupt.ts'
import { type Answer, processTerminal } from './output.ts'

interface CloudOptions {
  readonly config?: string
  readonly printTrust?: boolean
}

const STOPPED: Answer = { json: { stopped: true }, text: 'stopped' }

/**
 * `headgate cloud`: runs until SIGTERM or SIGINT. Says on its first line of output, as JSON, that it is ready, where it
 * listens, and the root key that gateways trust; logs go to standard error.
 */
export async function runCloud(options: CloudOptions): Promise<Answer> {
  if (options.config === undefined) throw new AgentError('USAGE', 'headgate cloud needs --config FILE')
  // Only now: a wrong call needs no broker and no database.
  const { printableTrust, readCloudConfig, startCloud } = await import('../../cloud-sync/cloud/index.ts')
  const config = readCloudConfig(options.config)
  if (options.printTrust === true) {
    const trust = printableTrust(config.dataDir)
    return { json: { trust }, text: trust }
  }
  const signal = interrupted()
  const log = createLog({ level: 'info' })
  let cloud: RunningCloud
  try {
    cloud = await startCloud(config, { log, signal })
  } catch (error) {
    if (signal.aborted) return STOPPED
    throw error
  }
  const { mqtt, http, trust } = cloud
  processTerminal.out(`${toJson({ ready: true, mqtt, http, trust })}\n`)
  renewOnHangup(() => cloud.renewCertificates(), log)
  if (!signal.aborted) await once(signal, 'abort')
  await cloud.stop()
  return STOPPED
}
