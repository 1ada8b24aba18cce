import type { z } from 'zod'
import type { Actor, OrgDirectory } from '../directory/index.ts'
import type { Log } from '../log.ts'
import { CalendarJob } from './calendar.ts'
import { closeDue } from './closing.ts'
import { type Answered, atDesk, type Matter } from './desk/index.ts'
import { chargeDue } from './payments/charging.ts'
import { sendWaiting } from './payments/meter-events.ts'
import { refundDue } from './payments/refunding.ts'
import { takeEvent } from './payments/webhook.ts'
import type { InvoicingWorld } from './ports.ts'
import { PriceBooks } from './prices.ts'

/** Seven minutes past each hour, UTC: days and graces end on the hour in most zones. */
const CLOSING = '7 * * * *'
const LOOK_EVERY_MS = 15_000
/** A write may be repeated so long. */
const REPEATABLE_MS = 7 * 24 * 3_600_000

/** Who answers for bills and takes what the payment provider tells. */
export interface BillingDesk {
  answer(
    made: Matter<z.ZodType, unknown>,
    call: {
      readonly actor: Actor
      readonly key: string
      readonly input: unknown
      readonly writes: string | null
    },
  ): Promise<Answered>
  /** Whose usage nobody sees, on any surface (S0.35). */
  hidesUsageOf(org: string): Promise<boolean>
  takeEvent(event: { readonly body: Uint8Array; readonly signature: string }): Promise<'taken' | 'repeated'>
}

export interface Invoicing extends BillingDesk {
  /** Closes and charges what is due at this moment, epoch ms; one turn after the other. */
  turn(now: number): Promise<void>
  stop(): Promise<void>
}

/** Answers at once; months are closed and payments tried by the calendar. */
export function startInvoicing(given: {
  readonly world: InvoicingWorld
  readonly gate: OrgDirectory['gate']
  /** Monotonic clock, ms. */
  readonly mono: () => number
  readonly log: Log
}): Invoicing {
  const { world, gate, mono, log } = given
  const books = new PriceBooks()
  const ending = new AbortController()
  const { signal } = ending
  const onError = (err: unknown): void => {
    log.error({ err }, 'a payment or refund could not be tried; it is tried again')
  }
  const onUnsent = (err: unknown): void => {
    log.error({ err }, 'meter events could not be sent; they are tried again')
  }
  const turn = async (now: number): Promise<void> => {
    for (const { id: org } of await world.directory.organisations()) {
      if (signal.aborted) return
      try {
        const closed = await closeDue(world, books, { org, now })
        for (const { period, invoice } of closed) log.info({ org, period, invoice }, 'a month was closed')
      } catch (err) {
        // One organisation's trouble is its own.
        log.error({ err, org }, 'a month could not be closed; it is tried again')
      }
    }
    await chargeDue(world, { now, signal, onError })
    await refundDue(world, { now, signal, onError })
    await sendWaiting(world, { signal, onError: onUnsent })
    await world.store.transaction((tx) => tx.forget(now - REPEATABLE_MS))
  }
  const onJump = (stepMs: number, believed: boolean): void => {
    if (believed) log.warn({ stepMs }, 'the clock has jumped')
    else
      log.error(
        { stepMs },
        'the clock has jumped ahead: no month is closed by it before this cloud is started anew',
      )
  }
  const calendar = new CalendarJob(CLOSING, { wall: world.now, mono, onJump })
  let round: Promise<void> = Promise.resolve()
  let running = false
  const timer = setInterval(() => {
    const now = calendar.look()
    if (now === undefined || running) return
    running = true
    round = turn(now)
      .catch((err: unknown) => {
        log.error({ err }, 'the calendar of bills could not run')
      })
      .finally(() => {
        running = false
      })
  }, LOOK_EVERY_MS)
  timer.unref()
  return {
    answer: (made, call) => atDesk({ world, books, gate }, made, call),
    hidesUsageOf: async (org) => (await world.directory.organisation(org))?.billedOutside === true,
    takeEvent: (event) => takeEvent(world, event),
    turn,
    async stop() {
      ending.abort()
      clearInterval(timer)
      await round
    },
  }
}
