import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { SyncError } from '../contract/index.ts'
import { type CloudConfig, readCloudConfig, type RunningCloud, startCloud } from './index.ts'
import { createLog, type Log } from './log.ts'

const EXIT_FAILED = 1
const EXIT_MISUSED = 2

/** `node main.ts --config FILE`: one JSON line on stdout when ready, stops on SIGTERM and SIGINT, reads certificates again on SIGHUP. */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { config: { type: 'string' }, 'log-level': { type: 'string' } } })
  if (values.config === undefined) {
    process.stderr.write('usage: main.ts --config FILE [--log-level LEVEL]\n')
    process.exitCode = EXIT_MISUSED
    return
  }
  const log = createLog(values['log-level'])
  const stopping = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      stopping.abort()
    })
  }
  const cloud = await started(readCloudConfig(values.config), log, stopping.signal)
  if (cloud === undefined) return
  const { mqtt, http, trust } = cloud
  process.stdout.write(`${JSON.stringify({ ready: true, mqtt, http, trust })}\n`)
  log.info({ mqtt, http }, 'cloud is ready')
  process.on('SIGHUP', () => {
    cloud.renewCertificates().catch((err: unknown) => {
      log.error({ err }, 'a certificate cannot be used; the one that was in use stays in use')
    })
  })
  if (!stopping.signal.aborted) await once(stopping.signal, 'abort')
  await cloud.stop()
  log.info({}, 'cloud has stopped')
}

/** Undefined where it was told to stop before it was ready. */
async function started(
  config: CloudConfig,
  log: Log,
  signal: AbortSignal,
): Promise<RunningCloud | undefined> {
  try {
    return await startCloud(config, { log, signal })
  } catch (error) {
    if (signal.aborted) return undefined
    throw error
  }
}

main().catch((error: unknown) => {
  const text = error instanceof SyncError ? `${error.code}: ${error.message}. ${error.hint}` : String(error)
  process.stderr.write(`${text}\n`)
  process.exitCode = EXIT_FAILED
})
