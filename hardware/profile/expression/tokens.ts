/** Longest expression; makers' formulas have a tenth of it. */
export const EXPRESSION_CHARS_MAX = 1000

export type Token =
  | { readonly kind: 'number'; readonly value: number; readonly at: number }
  /** A time, in milliseconds. */
  | { readonly kind: 'duration'; readonly ms: number; readonly at: number }
  | { readonly kind: 'name'; readonly name: string; readonly at: number }
  | { readonly kind: 'text'; readonly text: string; readonly at: number }
  | { readonly kind: 'sign'; readonly sign: Sign; readonly at: number }

const SIGNS = ['+', '-', '*', '/', '^', '(', ')', ','] as const
export type Sign = (typeof SIGNS)[number]

const NUMBER = /(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?/y
const DURATION_UNIT = /ms|min|m|s|h/y
const NAME = /[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)?/y
const TEXT = /"([^"]*)"/y
const BLANK = /\s+/y
const MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 }

/** What is wrong with an expression, and at which character. */
export class ExpressionFault extends Error {
  readonly at: number
  constructor(sentence: string, at: number) {
    super(sentence)
    this.name = 'ExpressionFault'
    this.at = at
  }
}

const isSign = (text: string): text is Sign => (SIGNS as readonly string[]).includes(text)

/** Cuts an expression into its tokens. Throws ExpressionFault. */
export function tokensOf(source: string): Token[] {
  if (source.length > EXPRESSION_CHARS_MAX) {
    throw new ExpressionFault(
      `an expression has at most ${EXPRESSION_CHARS_MAX} characters`,
      EXPRESSION_CHARS_MAX,
    )
  }
  const tokens: Token[] = []
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const found = pattern.exec(source)
    if (found !== null) at = pattern.lastIndex
    return found
  }
  while (at < source.length) {
    if (take(BLANK) !== null) continue
    const start = at
    const token = oneToken(source, start, take)
    if (token === undefined) throw new ExpressionFault(`"${source.charAt(start)}" means nothing here`, start)
    if (token.kind === 'sign') at += 1
    tokens.push(token)
  }
  return tokens
}

function oneToken(
  source: string,
  start: number,
  take: (pattern: RegExp) => RegExpExecArray | null,
): Token | undefined {
  const number = take(NUMBER)
  if (number !== null) {
    const unit = take(DURATION_UNIT)
    const value = Number(number[0])
    if (unit === null) return { kind: 'number', value, at: start }
    return { kind: 'duration', ms: value * (MS[unit[0]] ?? 1), at: start }
  }
  const name = take(NAME)
  if (name !== null) return { kind: 'name', name: name[0], at: start }
  const text = take(TEXT)
  if (text !== null) return { kind: 'text', text: text[1] ?? '', at: start }
  const sign = source.charAt(start)
  return isSign(sign) ? { kind: 'sign', sign, at: start } : undefined
}
