/** A heavy check: whole by `npm run accept -- NAME`, at 1/50 scale in `npm test`. */
export interface Harness {
  /** One sentence: what it shows. */
  readonly what: string
  readonly run: (context: HarnessContext) => Promise<Outcome>
}

export interface HarnessContext {
  /** 1 = full scale; a harness multiplies its counts by it and rounds up. */
  readonly scale: number
  /** Long work says how far it is. */
  readonly progress: (text: string) => void
}

export interface Outcome {
  /** What was measured, printed as is. */
  readonly figures: Readonly<Record<string, unknown>>
  /** One sentence for each bar that was missed; empty = it holds. */
  readonly failures: readonly string[]
  /** Why nothing could be measured here, e.g. not root. */
  readonly skipped?: string
}

/** A speed or size comparison: both sides in one run, ratios out. */
export interface Bench {
  readonly what: string
  readonly run: (progress: (text: string) => void) => Promise<Readonly<Record<string, unknown>>>
}

/** A count at this scale, at least `least`. */
export const scaled = (full: number, scale: number, least = 1): number =>
  Math.max(least, Math.ceil(full * scale))
