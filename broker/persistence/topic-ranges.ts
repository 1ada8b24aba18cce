/** Topics from one bound (included) to another (not included; undefined = to the end), in the order of their UTF-8 bytes. */
export interface TopicRange {
  readonly from: string
  readonly before: string | undefined
}

export const EVERY_TOPIC: TopicRange = { from: '', before: undefined }

/** What comes directly after a topic in that order: no topic holds U+0000 [MQTT-1.5.3-2]. */
export const directlyAfter = (topic: string): string => `${topic}\0`

/**
 * Where the topics that match the filters can be: few ranges, in order, none twice. A filter that begins with a wildcard
 * means every topic.
 */
export function topicRanges(filters: readonly string[]): TopicRange[] {
  const ranges = filters.flatMap(rangesOf).sort((a, b) => compare(a.from, b.from))
  const merged: TopicRange[] = []
  for (const range of ranges) {
    const last = merged.at(-1)
    if (last !== undefined && (last.before === undefined || compare(range.from, last.before) <= 0)) {
      merged[merged.length - 1] = { from: last.from, before: later(last.before, range.before) }
    } else merged.push(range)
  }
  return merged
}

function rangesOf(filter: string): TopicRange[] {
  const wildcard = filter.search(/[+#]/)
  if (wildcard === -1) return [only(filter)]
  if (wildcard === 0) return [EVERY_TOPIC]
  // A wildcard stands for a whole level, so a `/` is before it, and the next character in order is `0`.
  const parent = filter.slice(0, wildcard - 1)
  const below = { from: `${parent}/`, before: `${parent}0` }
  // `a/#` also means `a` (MQTT 3.1.1, 4.7.1.2).
  return filter[wildcard] === '#' ? [only(parent), below] : [below]
}

const only = (topic: string): TopicRange => ({ from: topic, before: directlyAfter(topic) })

const compare = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

function later(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return undefined
  return compare(a, b) < 0 ? b : a
}
