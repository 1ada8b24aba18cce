/** One line of the text format: its full name (`x_bucket`), its labels, its value. */
export interface Sample {
  readonly name: string
  readonly labels: ReadonlyMap<string, string>
  readonly value: number
}

export interface Family {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: readonly Sample[]
}

interface Group extends Family {
  type: string
  help: string
  readonly samples: Sample[]
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const COMMENT = new RegExp(`^# (HELP|TYPE) (${NAME})(?: (.*))?$`)
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)(?: (-?\\d+))?$`)
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\"n])*)"(,|$)/y
const NUMBER = /^(?:NaN|[+-]Inf|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)$/
const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped']

/**
 * Reads Prometheus' text format (version 0.0.4) and refuses whatever its description does not allow: a last line without
 * a line feed, a TYPE after a sample, a name in two groups, a line twice, wrong escapes, histograms that do not add up.
 */
export function parseExposition(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end with a line feed')
  const groups = new Groups()
  for (const line of text.slice(0, -1).split('\n')) groups.read(line)
  for (const family of groups.families.values()) check(family)
  return groups.families
}

/** Lines of one name follow each other. */
class Groups {
  readonly families = new Map<string, Group>()
  #current: Group | undefined

  read(line: string): void {
    const comment = COMMENT.exec(line)
    if (comment !== null) {
      const [, what = '', name = '', told = ''] = comment
      describe(this.#enter(name), what, told)
    } else if (line !== '' && !line.startsWith('#')) {
      const sample = sampleOf(line)
      this.#of(sample.name).samples.push(sample)
    }
  }

  /** The lines of a histogram bear its name with an ending. */
  #of(name: string): Group {
    const base = name.replace(/_(bucket|sum|count)$/, '')
    const current = this.#current
    return current?.name === base && current.type === 'histogram' ? current : this.#enter(name)
  }

  #enter(name: string): Group {
    if (this.#current?.name === name) return this.#current
    if (this.families.has(name)) throw new Error(`${name} is in two groups`)
    this.#current = { name, type: '', help: '', samples: [] }
    this.families.set(name, this.#current)
    return this.#current
  }
}

function describe(family: Group, what: string, text: string): void {
  if (family.samples.length > 0) throw new Error(`${what} after a sample`)
  if (what === 'HELP') {
    if (family.help !== '') throw new Error('HELP twice')
    if (/\\(?![\\n])/.test(text.replaceAll('\\\\', ''))) throw new Error(`HELP with a wrong escape: ${text}`)
    family.help = text
  } else {
    if (family.type !== '' || !TYPES.includes(text)) throw new Error(`TYPE twice or unknown: ${text}`)
    family.type = text
  }
}

function sampleOf(line: string): Sample {
  const [, name = '', labelText = '', value = ''] = SAMPLE.exec(line) ?? []
  if (name === '' || !NUMBER.test(value)) throw new Error(`no sample: ${line}`)
  return { name, labels: labelsOf(labelText), value: numberOf(value) }
}

function labelsOf(text: string): Map<string, string> {
  const labels = new Map<string, string>()
  LABEL.lastIndex = 0
  while (LABEL.lastIndex < text.length) {
    const [, label = '', value = ''] = LABEL.exec(text) ?? []
    if (label === '' || label.startsWith('__') || labels.has(label)) throw new Error(`wrong labels: ${text}`)
    labels.set(
      label,
      value.replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped)),
    )
  }
  return labels
}

const numberOf = (text: string): number => Number(text.replace('Inf', 'Infinity'))

function check({ name, type, samples }: Family): void {
  const seen = samples.map((one) => JSON.stringify([one.name, [...one.labels].toSorted()]))
  if (new Set(seen).size !== seen.length) throw new Error(`${name} has a line twice`)
  if (type === 'counter' && samples.some(({ value }) => value < 0)) throw new Error(`${name} is below zero`)
  if (type === 'histogram') checkHistogram(name, samples)
}

function checkHistogram(name: string, samples: readonly Sample[]): void {
  const buckets = samples.filter((one) => one.name === `${name}_bucket`)
  const bounds = buckets.map(({ labels }) => numberOf(labels.get('le') ?? 'none'))
  const rises = (values: readonly number[], strictly: boolean): boolean =>
    values.every(
      (value, at) => at === 0 || value > (values[at - 1] ?? 0) || (!strictly && value === values[at - 1]),
    )
  const counts = buckets.map(({ value }) => value)
  const count = samples.find((one) => one.name === `${name}_count`)?.value
  const sum = samples.find((one) => one.name === `${name}_sum`)?.value
  if (bounds.at(-1) !== Infinity || !rises(bounds, true) || !rises(counts, false)) {
    throw new Error(`${name}: its buckets do not rise to +Inf`)
  }
  if (sum === undefined || count === undefined || counts.at(-1) !== count) {
    throw new Error(`${name}: _sum, _count and the bucket of +Inf do not fit`)
  }
}
