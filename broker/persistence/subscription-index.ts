/** One level: what follows, and what ends here, by its owner. */
interface Level<T> {
  readonly next: Map<string, Level<T>>
  readonly ends: Map<string, T>
}

const newLevel = <T>(): Level<T> => ({ next: new Map(), ends: new Map() })

/** Finds what was added under the filters that match a topic, in steps of the topic's levels; wildcards come first. */
export class SubscriptionIndex<T> {
  readonly #root = newLevel<T>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** One for each owner and filter; a second one replaces the first. */
  add(filter: string, owner: string, value: T): void {
    let level = this.#root
    for (const name of filter.split('/')) {
      let next = level.next.get(name)
      if (next === undefined) level.next.set(name, (next = newLevel()))
      level = next
    }
    if (!level.ends.has(owner)) this.#size += 1
    level.ends.set(owner, value)
  }

  remove(filter: string, owner: string): void {
    const path = [this.#root]
    const names = filter.split('/')
    for (const name of names) {
      const next = path.at(-1)?.next.get(name)
      if (next === undefined) return
      path.push(next)
    }
    if (path.at(-1)?.ends.delete(owner) === true) this.#size -= 1
    for (let at = names.length; at > 0; at -= 1) {
      const level = path[at]
      if (level === undefined || level.next.size > 0 || level.ends.size > 0) return
      path[at - 1]?.next.delete(names[at - 1] ?? '')
    }
  }

  match(topic: string): T[] {
    const found: T[] = []
    const levels = topic.split('/')
    // [MQTT-4.7.2-1]: a wildcard at the first level never matches a topic that begins with `$`.
    if (topic.startsWith('$')) this.#descend(this.#root.next.get(levels[0] ?? ''), levels.slice(1), found)
    else this.#descend(this.#root, levels, found)
    return found
  }

  #descend(level: Level<T> | undefined, levels: readonly string[], found: T[]): void {
    if (level === undefined) return
    found.push(...(level.next.get('#')?.ends.values() ?? []))
    const [name, ...rest] = levels
    if (name === undefined) {
      found.push(...level.ends.values())
      return
    }
    this.#descend(level.next.get('+'), rest, found)
    this.#descend(level.next.get(name), rest, found)
  }
}
