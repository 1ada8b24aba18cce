/** Names under which some answer of cloud or gateway gives what was used, or what it costs. */
const FIGURES: ReadonlySet<string> = new Set([
  ...['used', 'percent', 'warned', 'step', 'consumed', 'charged', 'quantity', 'registers', 'end', 'bytes'],
  ...['exact', 'total', 'cost', 'price', 'outlook', 'unpriced', 'sims'],
])
/** Meters and services as texts name them. */
const NAMED =
  /sensor\.(readings|values|payload_bytes|active_day)|cell\.(rx|tx|alloc)|storage\.max|sensor-days|\bfees\b/

/** Where in an answer there is a figure of usage: `items[0].used`. Null and an empty list are none. */
export function figuresIn(answer: unknown, at = ''): string[] {
  if (Array.isArray(answer)) return answer.flatMap((one, index) => figuresIn(one, `${at}[${index}]`))
  if (typeof answer !== 'object' || answer === null) return []
  return Object.entries(answer).flatMap(([name, value]) => {
    const where = at === '' ? name : `${at}.${name}`
    const isNothing = value === null || (Array.isArray(value) && value.length === 0)
    return FIGURES.has(name) && !isNothing ? [where] : figuresIn(value, where)
  })
}

/** What an address shows of usage: figures of JSON, and meters that any other text names. */
export async function shownAt(url: string, authorization: string): Promise<string[]> {
  const response = await fetch(url, { headers: { authorization } })
  const text = await response.text()
  if (!response.ok) return []
  if (/json/.test(response.headers.get('Content-Type') ?? '')) return figuresIn(JSON.parse(text))
  return NAMED.test(text) || text.includes('"t":"') ? ['text'] : []
}

/** Every GET of the API's document that these values can fill, but what only the operator may ask. */
export function getsOf(
  document: Readonly<Record<string, unknown>>,
  values: Readonly<Record<string, string>>,
): string[] {
  const paths = document['paths'] as Readonly<Record<string, object>>
  return Object.entries(paths).flatMap(([path, methods]) => {
    if (!('get' in methods) || path.startsWith('/v1/operator')) return []
    const filled = path.replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole)
    return filled.includes('{') ? [] : [filled]
  })
}
