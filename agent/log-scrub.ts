const BLANK = '[secret]'
const DEPTH_MAX = 6
const ENTRIES_MAX = 100
const TEXT_MAX = 4_000

/** Names of fields whose value is never written. */
const SECRET_NAME =
  /pass(word|phrase|wd)?$|secret|token|authori[sz]ation|cookie|credential|private|(^|[-_.])(api|signing|root)?-?_?key$|[a-z]Key$|key_?hash$|^psk$|^pin$/i

const SECRET_TEXTS: readonly [RegExp, string][] = [
  // A PEM block, also one that is cut off: certificates go with keys, nobody debugs by reading base64.
  [/-----BEGIN [A-Z0-9 ]+-----[\s\S]*?(-----END [A-Z0-9 ]+-----|$)/g, BLANK],
  // user:password@ in an address.
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, `$1${BLANK}@`],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]+/gi, `$1 ${BLANK}`],
  [
    /\b((?:[\w-]*(?:password|passphrase|secret|token|private[-_ ]?key|api[-_ ]?key)))(["']?\s*[=:]\s*["']?)[^\s"',;&}]+/gi,
    `$1$2${BLANK}`,
  ],
]

/** Blanks what looks like a secret within a text. */
export function blankSecrets(text: string): string {
  let clean = text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text
  for (const [pattern, replacement] of SECRET_TEXTS) clean = clean.replace(pattern, replacement)
  return clean
}

/** A copy that may be written: secrets blanked in every depth, bytes told by their number, errors with their causes. */
export function scrub(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
      return blankSecrets(value)
    case 'bigint':
      return value.toString()
    case 'function':
      return '[function]'
    case 'object':
      return value === null ? null : scrubObject(value, depth)
    case 'number':
    case 'boolean':
    case 'symbol':
    case 'undefined':
      return value
  }
}

function scrubObject(value: object, depth: number): unknown {
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (value instanceof Date) return value.getTime()
  if (depth >= DEPTH_MAX) return '[deeper]'
  if (value instanceof Error) return scrubError(value, depth)
  if (Array.isArray(value)) return value.slice(0, ENTRIES_MAX).map((entry) => scrub(entry, depth + 1))
  const entries: [unknown, unknown][] = value instanceof Map ? [...value] : Object.entries(value)
  return Object.fromEntries(
    entries.slice(0, ENTRIES_MAX).map(([name, entry]) => {
      const key = String(name)
      return [key, SECRET_NAME.test(key) ? BLANK : scrub(entry, depth + 1)]
    }),
  )
}

function scrubError(error: Error, depth: number): object {
  const { name, message, stack, cause, ...more } = error
  return {
    type: name,
    message: blankSecrets(message),
    ...(stack === undefined ? {} : { stack: blankSecrets(stack) }),
    ...(scrub(more, depth + 1) as object),
    ...(cause === undefined ? {} : { cause: scrub(cause, depth + 1) }),
  }
}
