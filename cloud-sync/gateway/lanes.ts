import { LINK_PAYLOAD_BYTES_MAX, type Stream } from '../contract/index.ts'
import { Budget, type Rate } from './budget.ts'

/** Streams that share a byte budget. The first lane that has something to send and the budget for it goes first. */
interface Lane {
  readonly name: LaneName
  readonly streams: readonly Stream[]
}
export type LaneName = 'control' | 'live' | 'backfill'

const LANES: readonly Lane[] = [
  { name: 'control', streams: ['usage', 'evt'] },
  { name: 'live', streams: ['rd'] },
  { name: 'backfill', streams: ['rd/h'] },
]

/** What a lane earns as a share of its rate; control always earns all. */
export type LaneFactors = Readonly<Record<Exclude<LaneName, 'control'>, number>>
export type Budgets = Readonly<Record<LaneName | 'link', Rate>>

const KIB = 1024
/**
 * Back-fill gets a quarter of the link, so that a week of it never delays a live reading; a link slower than this
 * holds it back by its acknowledgements.
 */
export const DEFAULT_BUDGETS: Budgets = {
  control: { bytesPerSecond: 64 * KIB, burstBytes: 4 * LINK_PAYLOAD_BYTES_MAX },
  live: { bytesPerSecond: 96 * KIB, burstBytes: 4 * LINK_PAYLOAD_BYTES_MAX },
  backfill: { bytesPerSecond: 32 * KIB, burstBytes: LINK_PAYLOAD_BYTES_MAX },
  link: { bytesPerSecond: 128 * KIB, burstBytes: 4 * LINK_PAYLOAD_BYTES_MAX },
}

/** Which stream may send now, or how long none may. */
export type Turn = { readonly stream: Stream } | { readonly waitMs: number } | undefined

/** The lanes of one link with what each has spent; outlives connections, so that reconnecting earns no budget. */
export class Lanes {
  readonly #budgets: Readonly<Record<LaneName | 'link', Budget>>

  constructor(budgets: Budgets, now: () => number) {
    this.#budgets = {
      control: new Budget(budgets.control, now),
      live: new Budget(budgets.live, now),
      backfill: new Budget(budgets.backfill, now),
      link: new Budget(budgets.link, now),
    }
  }

  /** @param ready whether a stream has something to send; undefined is answered where none has. */
  turn(ready: (stream: Stream) => boolean): Turn {
    let waitMs: number | undefined
    for (const { name, streams } of LANES) {
      const stream = streams.find(ready)
      if (stream === undefined) continue
      const wait = this.#waitMs(name)
      if (wait === 0) return { stream }
      waitMs = Math.min(waitMs ?? wait, wait)
    }
    return waitMs === undefined ? undefined : { waitMs }
  }

  /** From now on live and back-fill earn only a share of their rates, e.g. where a data budget runs out. */
  slow({ live, backfill }: LaneFactors): void {
    this.#budgets.live.slow(live)
    this.#budgets.backfill.slow(backfill)
  }

  spend(stream: Stream, bytes: number): void {
    const lane = LANES.find(({ streams }) => streams.includes(stream))
    if (lane !== undefined) this.#budgets[lane.name].spend(bytes)
    this.#budgets.link.spend(bytes)
  }

  /** Control and usage never wait for the link's budget: readings spent it. */
  #waitMs(lane: LaneName): number {
    const own = this.#budgets[lane].waitMs()
    return lane === 'control' ? own : Math.max(own, this.#budgets.link.waitMs())
  }
}
