import { STREAMS, type Stream } from '../contract/index.ts'
import { reconnectDelayMs, STABLE_MS } from './backoff.ts'
import { Keyring } from './keyring.ts'
import { DEFAULT_BUDGETS, type LaneFactors, Lanes } from './lanes.ts'
import type { StreamReport, Uplink, UplinkOptions, UplinkState, UplinkStatus } from './options.ts'
import type { Lasting } from './lasting.ts'
import { Session } from './session.ts'
import { Window } from './window.ts'

const eachStream = <T>(make: (stream: Stream) => T): Record<Stream, T> => ({
  usage: make('usage'),
  rd: make('rd'),
  'rd/h': make('rd/h'),
  evt: make('evt'),
})

/**
 * The gateway's end of the link. Whatever fails, the session ends, the failure is logged once, and after a jittered
 * wait another session starts from the outbox: it is the only memory of what the ledger has.
 */
export function createUplink(options: UplinkOptions): Uplink {
  return new KeptUp(options)
}

class KeptUp implements Uplink {
  readonly #options: UplinkOptions
  readonly #lasting: Lasting
  #state: UplinkState = 'stopped'
  #session: Session | undefined
  #cancelWait: (() => void) | undefined
  #unlisten: (() => void) | undefined
  #unlistenChanges: (() => void) | undefined
  #stopping: Promise<void> | undefined
  #failures = 0
  #connects = 0
  #onlineSince: number | undefined
  #bytes = { in: 0, out: 0, pings: 0 }

  constructor(options: UplinkOptions) {
    this.#options = options
    const { timeScale = 1, budgets = DEFAULT_BUDGETS, clock, trust, gatewayId } = options
    this.#lasting = {
      options,
      windows: eachStream((stream) => new Window(stream)),
      lanes: new Lanes(budgets, () => clock.now()),
      keyring: new Keyring(trust, gatewayId),
      counters: { refused: 0, sent: eachStream(() => 0), resent: eachStream(() => 0) },
      furthest: new Map(),
      newestServerTime: 0,
      scaled: (ms) => ms * timeScale,
    }
  }

  async start(signal: AbortSignal): Promise<void> {
    if (this.#state !== 'stopped' || signal.aborted) return
    this.#stopping = undefined
    signal.addEventListener('abort', () => void this.stop(), { once: true })
    this.#unlisten = this.#options.outbox.onWaiting((stream) => {
      this.#lasting.windows[stream].wake()
      this.#session?.pump()
    })
    const { changes } = this.#options
    this.#unlistenChanges = changes?.onWaiting(() => {
      this.#session?.pumpChanges()
    })
    this.#dial()
    await Promise.resolve()
  }

  slow(factors: LaneFactors): void {
    this.#lasting.lanes.slow(factors)
    this.#session?.pump()
  }

  stop(): Promise<void> {
    // Asked twice, by the signal and by its owner, it still says goodbye once and whole.
    this.#stopping ??= this.#leave()
    return this.#stopping
  }

  status(): UplinkStatus {
    const { windows, counters } = this.#lasting
    const report = (stream: Stream): StreamReport => ({
      acknowledged: windows[stream].acknowledged,
      unacknowledged: windows[stream].unacknowledged,
      sent: counters.sent[stream],
      resent: counters.resent[stream],
    })
    const now = this.#session?.bytes ?? { in: 0, out: 0, pings: 0, localAddress: null }
    return {
      state: this.#state,
      failures: this.#isStable() ? 0 : this.#failures,
      connects: this.#connects,
      bytesOut: this.#bytes.out + now.out,
      bytesIn: this.#bytes.in + now.in,
      pings: this.#bytes.pings + now.pings,
      localAddress: now.localAddress,
      refused: counters.refused,
      streams: eachStream(report),
    }
  }

  async #leave(): Promise<void> {
    const session = this.#session
    this.#state = 'stopped'
    this.#unlisten?.()
    this.#unlisten = undefined
    this.#unlistenChanges?.()
    this.#unlistenChanges = undefined
    this.#cancelWait?.()
    this.#cancelWait = undefined
    await session?.leave()
  }

  #dial(): void {
    this.#state = 'connecting'
    this.#cancelWait = undefined
    const session = new Session(this.#lasting, {
      opened: () => {
        if (this.#state === 'stopped') return
        this.#state = 'online'
        this.#connects += 1
        this.#onlineSince = this.#options.clock.now()
        this.#options.log.info({ connects: this.#connects }, 'link up')
      },
      ended: (because) => {
        this.#lost(session, because)
      },
    })
    this.#session = session
  }

  #lost(session: Session, because: Error): void {
    const { in: bytesIn, out, pings } = session.bytes
    const { in: inBefore, out: outBefore, pings: pingsBefore } = this.#bytes
    this.#bytes = { in: inBefore + bytesIn, out: outBefore + out, pings: pingsBefore + pings }
    this.#failures = this.#isStable() ? 1 : this.#failures + 1
    this.#session = undefined
    this.#onlineSince = undefined
    for (const stream of STREAMS) this.#lasting.windows[stream].pause()
    if (this.#state === 'stopped') return
    this.#state = 'waiting'
    const { random, clock, log, reconnectMaxMs } = this.#options
    const delayMs = this.#lasting.scaled(reconnectDelayMs(this.#failures, random, reconnectMaxMs))
    log.warn({ err: because, failures: this.#failures, delayMs }, 'link down')
    this.#cancelWait = clock.after(delayMs, () => {
      this.#dial()
    })
  }

  #isStable(): boolean {
    const since = this.#onlineSince
    return since !== undefined && this.#options.clock.now() - since >= this.#lasting.scaled(STABLE_MS)
  }
}
