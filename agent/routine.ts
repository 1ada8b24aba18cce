import type { GatewayState } from './local-api/state.ts'
import type { Log } from './log.ts'
import type { Publishing } from './publishing.ts'
import { Calendar } from './schedule/calendar.ts'
import { Scheduler } from './schedule/scheduler.ts'
import { systemTicker, type Ticker } from './schedule/ticker.ts'
import type { Service } from './services.ts'

const STATUS_EVERY_MS = 10_000
/** A key that has expired is given nothing from that moment; its connections end so much later at most. */
const EXPIRED_EVERY_MS = 5_000
/** Where a person looks for what happened yesterday: one line at the end of each UTC day. */
const DAILY = '0 0 * * *'

export interface RoutineParts {
  readonly publishing: Pick<Publishing, 'gateway'>
  readonly log: Pick<Log, 'info' | 'warn'>
  readonly facts: { status(): GatewayState }
  readonly enforcement: { endExpired(): Promise<void> }
  /** Wall clock, epoch ms. */
  readonly wall: () => number
  readonly ticker?: Ticker
}

/**
 * What the gateway does without being asked: it tells its status every ten seconds, a summary every day, and ends the
 * sessions of keys that have expired.
 */
export function routineOf({
  publishing,
  log,
  facts,
  enforcement,
  wall,
  ticker = systemTicker,
}: RoutineParts): Service {
  const onError = (job: string, error: unknown): void => {
    log.warn({ err: error, job }, 'a routine job failed; it is tried again at its next turn')
  }
  const scheduler = new Scheduler({ ticker, onError })
  return {
    name: 'routine',
    async start() {
      await publishing.gateway(true)
      scheduler.every('status', STATUS_EVERY_MS, () => publishing.gateway(true))
      scheduler.every('expired keys', EXPIRED_EVERY_MS, () => enforcement.endExpired())
      new Calendar({ scheduler, wall, ticker, onError }).at('daily summary', DAILY, () => {
        const { store, broker, link, hardware, upSeconds } = facts.status()
        log.info({ store, broker, link, hardware, upSeconds }, 'daily summary')
      })
    },
    async stop() {
      await scheduler.stop()
      await publishing.gateway(false)
    },
  }
}
