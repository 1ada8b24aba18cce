import { loadConfig } from '../config/config.ts'
import { gatewayKey } from '../identity.ts'
import { createLog } from '../log.ts'
import { toJson } from '../json.ts'
import { interrupted, renewOnHangup } from './interrupt.ts'
import type { Answer } from './output.ts'

interface GatewayOptions {
  readonly config: string
  readonly printKey?: boolean
}

/**
 * `headgate gateway`: runs until SIGTERM or SIGINT. Says on its first line of output, as JSON, that it is ready and where
 * its broker listens; logs go to standard error. SIGHUP makes it read the certificates of its listeners again.
 */
export async function runGateway(options: GatewayOptions): Promise<Answer> {
  const config = loadConfig(options.config)
  if (options.printKey === true) {
    const { publicKey, keyId } = gatewayKey(config.gateway.dataDir)
    return { json: { gateway: config.gateway.id, publicKey, keyId }, text: publicKey }
  }
  // Not before: the key is shown without opening store, lines or broker.
  const { startGateway } = await import('../main.ts')
  const signal = interrupted()
  const log = createLog({ level: config.log.level })
  await startGateway(config, {
    log,
    signal,
    onRenewal: (renew) => {
      renewOnHangup(renew, log)
    },
    onReady: (facts) => void process.stdout.write(`${toJson({ ready: true, ...facts })}\n`),
  })
  return { json: { stopped: true }, text: 'stopped' }
}
