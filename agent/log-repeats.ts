const WINDOW_MS = 60_000
/** Lines of one kind in a window. */
const LINES_MAX = 10
/** Kinds remembered; beyond it the oldest are forgotten. */
const KINDS_MAX = 500
/** Fields that make the same message another one: ten lost devices are ten faults, not one. */
const DISTINGUISHING = ['service', 'line', 'device', 'stream', 'job', 'code', 'bound'] as const

interface Kind {
  since: number
  lines: number
  withheld: number
}

export interface Line {
  readonly level: number
  readonly message: string
  readonly detail: unknown
}

/** Lets a line through a few times a minute and counts the rest, so that a fault that repeats cannot fill a disk. */
export class RepeatLimit {
  readonly #now: () => number
  readonly #kinds = new Map<string, Kind>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** `withheld` counts the lines of this kind that were not written since the last one that was. */
  admit(line: Line): { readonly admitted: boolean; readonly withheld: number } {
    const name = nameOf(line)
    const kind = this.#kinds.get(name) ?? this.#add(name)
    const withheld = kind.withheld
    if (this.#now() - kind.since >= WINDOW_MS) {
      kind.since = this.#now()
      kind.lines = 0
    }
    if (kind.lines >= LINES_MAX) {
      kind.withheld += 1
      return { admitted: false, withheld: 0 }
    }
    kind.lines += 1
    kind.withheld = 0
    return { admitted: true, withheld }
  }

  #add(name: string): Kind {
    const kind = { since: this.#now(), lines: 0, withheld: 0 }
    this.#kinds.set(name, kind)
    for (const oldest of this.#kinds.keys()) {
      if (this.#kinds.size <= KINDS_MAX) break
      this.#kinds.delete(oldest)
    }
    return kind
  }
}

function nameOf({ level, message, detail }: Line): string {
  const fields = typeof detail === 'object' && detail !== null ? (detail as Record<string, unknown>) : {}
  return JSON.stringify([level, message, ...DISTINGUISHING.map((name) => textOf(fields[name]))])
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
