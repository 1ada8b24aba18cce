import type { Qos } from './message.ts'

/** Topics whose matches are remembered; a gateway has fewer. */
const REMEMBERED_MAX = 10_000

interface Node<S> {
  readonly next: Map<string, Node<S>>
  readonly subscribers: Map<S, Qos>
}

export interface Match<S> {
  readonly subscriber: S
  /** The highest of all its matching filters [MQTT-3.3.5-1]. */
  readonly qos: Qos
}

/**
 * Finds the subscribers of a topic, each once, in steps of the topic's levels and not of the number of filters. What
 * was found is remembered until a filter comes or goes.
 */
export class FilterIndex<S> {
  readonly #root: Node<S> = emptyNode()
  readonly #remembered = new Map<string, readonly Match<S>[]>()

  add(filter: string, subscriber: S, qos: Qos): void {
    let node = this.#root
    for (const level of filter.split('/')) {
      let next = node.next.get(level)
      if (next === undefined) node.next.set(level, (next = emptyNode()))
      node = next
    }
    node.subscribers.set(subscriber, qos)
    this.#remembered.clear()
  }

  remove(filter: string, subscriber: S): void {
    prune(this.#root, filter.split('/'), subscriber)
    this.#remembered.clear()
  }

  match(topic: string): readonly Match<S>[] {
    let found = this.#remembered.get(topic)
    if (found === undefined) {
      found = this.#find(topic)
      if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear()
      this.#remembered.set(topic, found)
    }
    return found
  }

  #find(topic: string): readonly Match<S>[] {
    const found = new Map<S, Qos>()
    walk({ node: this.#root, levels: topic.split('/'), at: 0, found })
    return [...found].map(([subscriber, qos]) => ({ subscriber, qos }))
  }
}

const emptyNode = <S>(): Node<S> => ({ next: new Map(), subscribers: new Map() })

interface Walk<S> {
  readonly node: Node<S>
  readonly levels: readonly string[]
  readonly at: number
  readonly found: Map<S, Qos>
}

function walk<S>({ node, levels, at, found }: Walk<S>): void {
  // [MQTT-4.7.2-1]: a wildcard at the first level never matches a topic that begins with `$`.
  const wild = at > 0 || !(levels[0] ?? '').startsWith('$')
  if (wild) collect(node.next.get('#'), found)
  const level = levels[at]
  if (level === undefined) {
    collect(node, found)
    return
  }
  const exact = node.next.get(level)
  if (exact !== undefined) walk({ node: exact, levels, at: at + 1, found })
  const any = wild ? node.next.get('+') : undefined
  if (any !== undefined) walk({ node: any, levels, at: at + 1, found })
}

function collect<S>(node: Node<S> | undefined, found: Map<S, Qos>): void {
  if (node === undefined) return
  for (const [subscriber, qos] of node.subscribers) {
    const known = found.get(subscriber)
    if (known === undefined || known < qos) found.set(subscriber, qos)
  }
}

/** Answers whether the node is empty and may go. */
function prune<S>(node: Node<S>, levels: readonly string[], subscriber: S): boolean {
  const [level, ...rest] = levels
  if (level === undefined) node.subscribers.delete(subscriber)
  else {
    const next = node.next.get(level)
    if (next !== undefined && prune(next, rest, subscriber)) node.next.delete(level)
  }
  return node.next.size === 0 && node.subscribers.size === 0
}
