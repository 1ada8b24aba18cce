/** Those whose name no other has: what is said twice is not believed. */
export function once<T>(list: readonly T[], nameOf: (item: T) => string): T[] {
  const seen = new Map<string, T | null>()
  for (const item of list) {
    const name = nameOf(item)
    seen.set(name, seen.has(name) ? null : item)
  }
  return [...seen.values()].filter((item) => item !== null)
}

export function grouped<K, T>(list: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const item of list) into(groups, keyOf(item), item)
  return groups
}

export function into<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}
