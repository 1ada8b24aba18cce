/** JSON in which an integer beyond 2^53 is a decimal string, so that no reader rounds it. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? item.toString() : item))
}
