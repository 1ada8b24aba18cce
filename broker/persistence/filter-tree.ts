/** One level of the tree: what follows, and who ends here. */
interface Node {
  readonly next: Map<string, Node>
  readonly clients: Map<string, number>
}

const emptyNode = (): Node => ({ next: new Map(), clients: new Map() })

/** Finds the clients whose filters match a topic in steps of the topic's levels, not of the number of filters. */
export class FilterTree {
  readonly #root = emptyNode()

  add(filter: string, clientId: string, qos: number): void {
    let node = this.#root
    for (const level of filter.split('/')) {
      let next = node.next.get(level)
      if (next === undefined) node.next.set(level, (next = emptyNode()))
      node = next
    }
    node.clients.set(clientId, qos)
  }

  remove(filter: string, clientId: string): void {
    this.#prune(this.#root, filter.split('/'), clientId)
  }

  /** Client id to the highest quality of service of its matching filters. */
  match(topic: string): Map<string, number> {
    const found = new Map<string, number>()
    const levels = topic.split('/')
    const [first = '', ...rest] = levels
    // [MQTT-4.7.2-1]: a wildcard at the first level never matches a topic that begins with `$`.
    if (!first.startsWith('$')) this.#walk(this.#root, levels, found)
    else {
      const next = this.#root.next.get(first)
      if (next !== undefined) this.#walk(next, rest, found)
    }
    return found
  }

  #walk(node: Node, levels: readonly string[], found: Map<string, number>): void {
    collect(node.next.get('#'), found)
    const [level, ...rest] = levels
    if (level === undefined) {
      collect(node, found)
      return
    }
    for (const name of [level, '+']) {
      const next = node.next.get(name)
      if (next !== undefined) this.#walk(next, rest, found)
    }
  }

  #prune(node: Node, levels: readonly string[], clientId: string): boolean {
    const [level, ...rest] = levels
    if (level === undefined) node.clients.delete(clientId)
    else {
      const next = node.next.get(level)
      if (next !== undefined && this.#prune(next, rest, clientId)) node.next.delete(level)
    }
    return node.next.size === 0 && node.clients.size === 0
  }
}

function collect(node: Node | undefined, found: Map<string, number>): void {
  if (node === undefined) return
  for (const [clientId, qos] of node.clients) found.set(clientId, Math.max(qos, found.get(clientId) ?? 0))
}
