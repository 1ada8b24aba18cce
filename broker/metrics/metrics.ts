/** One value under its labels. */
export interface MetricSample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** How often values came, by size: each bucket holds all that are at most `le`; all of them together are `count`. */
export interface HistogramSample {
  readonly labels: Readonly<Record<string, string>>
  readonly buckets: readonly { readonly le: number; readonly count: number }[]
  readonly sum: number
  readonly count: number
}

/** Samples of one name, as Prometheus knows them. */
export type MetricFamily =
  | (MetricNamed & { readonly type: 'counter' | 'gauge'; readonly samples: readonly MetricSample[] })
  | (MetricNamed & { readonly type: 'histogram'; readonly samples: readonly HistogramSample[] })

interface MetricNamed {
  readonly name: string
  readonly help: string
}

/** Counts up. */
export interface Counter {
  add(by?: number): void
}

/** Counts up by one label, whose values are known beforehand: what strangers send must never become a label. */
export interface CounterBy<V extends string> {
  add(value: V, by?: number): void
  total(): number
}

/** Counts values by their size. */
export interface Histogram {
  observe(value: number): void
}

/** Every figure of one broker. Names follow Prometheus: base units, `_total` for what only grows. */
export class Metrics {
  readonly #families: (() => MetricFamily)[] = []

  counter(name: string, help: string): Counter {
    let value = 0
    this.read('counter', name, help, () => value)
    return {
      add: (by = 1) => {
        value += by
      },
    }
  }

  counterBy<V extends string>(
    { name, label, values }: { readonly name: string; readonly label: string; readonly values: readonly V[] },
    help: string,
  ): CounterBy<V> {
    // All are there from the start, so that a first refusal shows as a rise and not as a new line.
    const counts = new Map<V, number>(values.map((value) => [value, 0]))
    const samples = (): MetricSample[] =>
      [...counts].map(([value, count]) => ({ labels: { [label]: value }, value: count }))
    this.#families.push(() => ({ name, help, type: 'counter', samples: samples() }))
    return {
      add: (value, by = 1) => {
        counts.set(value, (counts.get(value) ?? 0) + by)
      },
      total: () => [...counts.values()].reduce((sum, count) => sum + count, 0),
    }
  }

  /** Figures that somebody else keeps, by one label whose values are known beforehand. */
  readBy(
    given: { readonly name: string; readonly label: string; readonly type?: 'counter' | 'gauge' },
    help: string,
    values: () => readonly (readonly [string, number])[],
  ): void {
    const { name, label, type = 'counter' } = given
    this.#families.push(() => ({
      name,
      help,
      type,
      samples: values().map(([text, value]) => ({ labels: { [label]: text }, value })),
    }))
  }

  /** A figure that somebody else keeps, read when it is asked for. */
  read(type: 'counter' | 'gauge', name: string, help: string, value: () => number): void {
    this.#families.push(() => ({ name, help, type, samples: [{ labels: {}, value: value() }] }))
  }

  /** `bounds` rise; what is above the last counts in none of them but in `count`. */
  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    const counts = bounds.map(() => 0)
    let sum = 0
    let count = 0
    this.#families.push(() => {
      let so = 0
      const buckets = bounds.map((le, at) => ({ le, count: (so += counts[at] ?? 0) }))
      return { name, help, type: 'histogram', samples: [{ labels: {}, buckets, sum, count }] }
    })
    return {
      observe: (value) => {
        const at = bounds.findIndex((bound) => value <= bound)
        if (at !== -1) counts[at] = (counts[at] ?? 0) + 1
        sum += value
        count += 1
      },
    }
  }

  families(): MetricFamily[] {
    return this.#families.map((family) => family())
  }
}
