import { once } from 'node:events'
import {
  type BrokerLimits,
  createBroker,
  openBrokerStorage,
  type OpenedBrokerStorage,
  serveMetrics,
} from '../../broker/index.ts'
import { toJson } from '../json.ts'
import { createLog, type Log } from '../log.ts'
import { listenFailure } from './broker-failures.ts'
import { type ListenOptions, listenersOf } from './broker-listeners.ts'
import { StandalonePolicy } from './broker-policy.ts'
import { interrupted, renewOnHangup } from './interrupt.ts'
import { type Answer, processTerminal } from './output.ts'

interface BrokerOptions extends ListenOptions {
  readonly open?: boolean
  readonly users?: string
  readonly denySubscribe?: readonly string[]
  readonly data?: string
  readonly metrics?: string
  readonly limit?: readonly string[]
}

/** Where all are one principal and nobody's topics are known, what is meant for one organisation's programs does not fit. */
const OPEN_LIMITS: Partial<BrokerLimits> = { absentSessions: 1_000, topicLength: 65_535, topicLevels: 1_000 }

/**
 * `headgate broker`: the broker alone, until SIGTERM or SIGINT. Says on its first line of output, as JSON, that it is
 * ready and where it listens; logs go to standard error.
 */
export async function runBroker(options: BrokerOptions): Promise<Answer> {
  const { open = false, metrics } = options
  const listen = listenersOf(options)
  const { limits, users } = await told(options)
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
    limits: { ...(open ? OPEN_LIMITS : {}), ...limits },
    log,
  })
  await broker.start(signal).catch((error: unknown) => {
    storage.close()
    throw listenFailure(error)
  })
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

/** What is written in texts and files. What checks them takes a tenth of the memory of the whole broker: only where it is needed. */
async function told({ limit = [], users }: BrokerOptions): Promise<{
  readonly limits: Partial<BrokerLimits>
  readonly users: ReadonlyMap<string, string>
}> {
  return {
    limits: limit.length === 0 ? {} : (await import('./broker-limits.ts')).limitsOf(limit),
    users: users === undefined ? new Map() : (await import('./broker-users.ts')).usersIn(users),
  }
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
