import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import {
  createBroker,
  openBrokerStorage,
  type OpenedBrokerStorage,
  serveMetrics,
} from '../../broker/index.ts'
import type { Hash } from '../../cloud-sync/contract/index.ts'
import { AgentError } from '../errors.ts'
import { toJson } from '../json.ts'
import { createLog, type Log } from '../log.ts'
import { limitsOf } from './broker-limits.ts'
import { type ListenOptions, listenersOf } from './broker-listeners.ts'
import { StandalonePolicy, usersOf } from './broker-policy.ts'
import { interrupted, renewOnHangup } from './interrupt.ts'
import { type Answer, processTerminal } from './output.ts'

interface BrokerOptions extends ListenOptions {
  readonly open?: boolean
  readonly users?: string
  readonly denySubscribe: readonly string[]
  readonly data?: string
  readonly metrics?: string
  readonly limit: readonly string[]
}

/**
 * `headgate broker`: the broker alone, until SIGTERM or SIGINT. Says on its first line of output, as JSON, that it is
 * ready and where it listens; logs go to standard error.
 */
export async function runBroker(options: BrokerOptions): Promise<Answer> {
  const { open = false, metrics } = options
  const limits = limitsOf(options.limit)
  const listen = listenersOf(options)
  const users = options.users === undefined ? new Map<string, Hash>() : usersIn(options.users)
  if (!open && users.size === 0) {
    warn('nobody can log in: name users by --users FILE, or let everybody in by --open')
  }
  const signal = interrupted()
  const log = createLog({ level: 'info' })
  const storage = storageIn(options.data, log)
  const broker = createBroker({
    listen,
    policy: new StandalonePolicy({ open, users, deniedFilters: new Set(options.denySubscribe) }),
    // `$SYS` and `$share` stay refused.
    dollarTopics: 'ordinary',
    storage,
    limits,
    log,
  })
  await broker.start(signal)
  renewOnHangup(() => broker.reloadCertificates(), log)
  try {
    const page = metrics === undefined ? null : await serveMetrics(metrics, () => broker.metrics())
    processTerminal.out(
      `${toJson({ ready: true, broker: broker.addresses(), metrics: page?.url ?? null, open })}\n`,
    )
    if (!signal.aborted) await once(signal, 'abort')
    await page?.stop()
  } finally {
    await broker.stop()
    storage.close()
  }
  return { json: { stopped: true }, text: 'stopped' }
}

function usersIn(file: string): Map<string, Hash> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new AgentError('CONFIG_UNREADABLE', `cannot read ${file}`, { cause })
  }
  return usersOf(text, file)
}

function storageIn(folder: string | undefined, log: Log): OpenedBrokerStorage {
  if (folder === undefined)
    warn('without --data nothing survives the end: sessions, queues and retained messages are in memory')
  const storage = openBrokerStorage(folder ?? ':memory:', {
    onDamage: (err) => {
      log.error({ err }, 'the store cannot be used any more')
    },
    onRefused: (err) => {
      log.warn({ err }, 'the disk takes nothing; publishers wait')
    },
  })
  if (storage.damaged !== null)
    warn(`the store was damaged; it is kept as ${storage.damaged} and a new one begun`)
  return storage
}

function warn(text: string): void {
  processTerminal.err(`warning: ${text}\n`)
}
