type Run = () => unknown

/** Virtual time: what is due runs in order, one after the other, each awaited. Epoch ms. */
export class World {
  #now: number
  readonly random: () => number
  /** Time passes, ms. */
  onPassed: (ms: number) => void = () => undefined
  /** Sorted; the first is due next. */
  readonly #due: { readonly at: number; readonly run: Run }[] = []

  constructor(start: number, seed: number) {
    this.#now = start
    this.random = mulberry(seed)
  }

  get now(): number {
    return this.#now
  }

  /** A whole number below. */
  below(limit: number): number {
    return Math.floor(this.random() * limit)
  }

  chance(share: number): boolean {
    return this.random() < share
  }

  between(from: number, to: number): number {
    return Math.floor(from + this.random() * (to - from))
  }

  after(ms: number, run: Run): void {
    this.at(this.#now + ms, run)
  }

  /** What is due at one moment runs in the order in which it was asked for. */
  at(moment: number, run: Run): void {
    let [low, high] = [0, this.#due.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#due[middle]?.at ?? 0) <= moment) low = middle + 1
      else high = middle
    }
    this.#due.splice(low, 0, { at: moment, run })
  }

  every(ms: number, run: Run): void {
    this.after(ms, async () => {
      await run()
      this.every(ms, run)
    })
  }

  #pass(to: number): void {
    if (to <= this.#now) return
    this.onPassed(to - this.#now)
    this.#now = to
  }

  async runUntil(moment: number): Promise<void> {
    for (let next = this.#due[0]; next !== undefined && next.at <= moment; next = this.#due[0]) {
      this.#due.shift()
      this.#pass(next.at)
      await next.run()
    }
    this.#pass(moment)
  }
}

/** Mulberry32. */
export function mulberry(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** One direction of a bad link: what is sent is lost, late, early before others, or there twice. */
export class Link {
  readonly #world: World
  isDown = false
  loss = 0.1
  doubling = 0.1
  readonly counts = { sent: 0, lost: 0, doubled: 0 }

  constructor(world: World) {
    this.#world = world
  }

  send(deliver: Run): void {
    const { counts } = this
    counts.sent += 1
    if (this.isDown || this.#world.chance(this.loss)) {
      counts.lost += 1
      return
    }
    this.#later(deliver)
    if (!this.#world.chance(this.doubling)) return
    counts.doubled += 1
    this.#later(deliver)
  }

  /** Mostly a second or so, seldom minutes: then others overtake it. */
  #later(deliver: Run): void {
    const ms = this.#world.chance(0.05) ? this.#world.between(5_000, 180_000) : this.#world.between(50, 3_000)
    this.#world.after(ms, deliver)
  }
}
