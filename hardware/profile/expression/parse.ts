import { FUNCTIONS } from './functions.ts'
import { ExpressionFault, type Sign, type Token, tokensOf } from './tokens.ts'

/** Parentheses, calls, powers and signs within each other. */
export const EXPRESSION_DEPTH_MAX = 32

/** A channel of another device, and how old its value may be. */
export interface NeighbourRef {
  readonly device: string
  readonly sensor: string
  readonly channel: string
  readonly maxAgeMs: number
}

export type Operator = '+' | '-' | '*' | '/' | '^'

export type Node =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'channel'; readonly id: string; readonly at: number }
  | { readonly kind: 'cal'; readonly name: string }
  | { readonly kind: 'address' }
  | { readonly kind: 'neighbour'; readonly ref: NeighbourRef }
  | { readonly kind: 'negate'; readonly of: Node }
  | { readonly kind: 'binary'; readonly operator: Operator; readonly left: Node; readonly right: Node }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Node[] }

const LEVELS: readonly (readonly Operator[])[] = [
  ['+', '-'],
  ['*', '/'],
]
const NEIGHBOUR = /^([a-z0-9-]{1,64})\/([a-z0-9-]{1,64})\.([A-Za-z][A-Za-z0-9_]{0,63})$/

class Parser {
  readonly #source: string
  readonly #tokens: readonly Token[]
  /** A `wait` may count in times; a channel may not. */
  readonly #durations: boolean
  #next = 0
  #depth = 0

  constructor(source: string, durations: boolean) {
    this.#source = source
    this.#tokens = tokensOf(source)
    this.#durations = durations
  }

  whole(): Node {
    const node = this.#level(0)
    const rest = this.#tokens[this.#next]
    if (rest !== undefined) throw new ExpressionFault('an operator is missing here', rest.at)
    return node
  }

  #sign(): Sign | undefined {
    const token = this.#tokens[this.#next]
    return token?.kind === 'sign' ? token.sign : undefined
  }

  #at(): number {
    return this.#tokens[this.#next]?.at ?? this.#source.length
  }

  #expect(sign: Sign): void {
    if (this.#sign() !== sign) throw new ExpressionFault(`"${sign}" is missing here`, this.#at())
    this.#next += 1
  }

  #deeper<T>(parse: () => T): T {
    this.#depth += 1
    if (this.#depth > EXPRESSION_DEPTH_MAX) {
      throw new ExpressionFault(`at most ${EXPRESSION_DEPTH_MAX} levels within each other`, this.#at())
    }
    const parsed = parse()
    this.#depth -= 1
    return parsed
  }

  /** Sums of products of signed powers; each level is left to right. */
  #level(level: number): Node {
    const operators = LEVELS[level]
    if (operators === undefined) return this.#signed()
    let left = this.#level(level + 1)
    for (;;) {
      const sign = this.#sign()
      const operator = operators.find((one) => one === sign)
      if (operator === undefined) return left
      this.#next += 1
      left = { kind: 'binary', operator, left, right: this.#level(level + 1) }
    }
  }

  /** A minus binds weaker than a power: -2^2 is -4. */
  #signed(): Node {
    if (this.#sign() !== '-') return this.#power()
    this.#next += 1
    return { kind: 'negate', of: this.#deeper(() => this.#signed()) }
  }

  /** Powers go right to left: 2^3^2 is 2^9. */
  #power(): Node {
    const left = this.#primary()
    if (this.#sign() !== '^') return left
    this.#next += 1
    return { kind: 'binary', operator: '^', left, right: this.#deeper(() => this.#signed()) }
  }

  #primary(): Node {
    const token = this.#tokens[this.#next]
    if (token === undefined) throw new ExpressionFault('something is missing at the end', this.#source.length)
    if (token.kind === 'sign' && token.sign !== '(') {
      throw new ExpressionFault(`"${token.sign}" cannot stand here`, token.at)
    }
    this.#next += 1
    switch (token.kind) {
      case 'number':
        return { kind: 'number', value: token.value }
      case 'duration':
        if (!this.#durations) throw new ExpressionFault('a time stands only in wait and sensor(…)', token.at)
        return { kind: 'number', value: token.ms }
      case 'name':
        return this.#sign() === '(' ? this.#call(token.name, token.at) : nameNode(token.name, token.at)
      case 'text':
        throw new ExpressionFault('a text stands only in sensor("device/sensor.channel", age)', token.at)
      case 'sign': {
        const inner = this.#deeper(() => this.#level(0))
        this.#expect(')')
        return inner
      }
    }
  }

  #call(name: string, at: number): Node {
    this.#expect('(')
    if (name === 'sensor') return this.#neighbour(at)
    const fn = FUNCTIONS.get(name)
    if (fn === undefined) {
      throw new ExpressionFault(
        `there is no function ${name}; there are ${[...FUNCTIONS.keys()].join(', ')}`,
        at,
      )
    }
    const args = this.#deeper(() => this.#arguments())
    const [least, most] = fn.arity
    if (args.length < least || args.length > most) {
      const wanted = least === most ? `${least}` : `${least} to ${most}`
      throw new ExpressionFault(`${name} takes ${wanted} values, not ${args.length}`, at)
    }
    return { kind: 'call', name, args }
  }

  #arguments(): Node[] {
    const args = [this.#level(0)]
    while (this.#sign() === ',') {
      this.#next += 1
      args.push(this.#level(0))
    }
    this.#expect(')')
    return args
  }

  #neighbour(at: number): Node {
    const text = this.#tokens[this.#next]
    const found = text?.kind === 'text' ? NEIGHBOUR.exec(text.text) : null
    this.#next += 1
    this.#expect(',')
    const age = this.#tokens[this.#next]
    this.#next += 1
    const [, device, sensor, channel] = found ?? []
    if (!device || !sensor || !channel || age?.kind !== 'duration') {
      throw new ExpressionFault('write sensor("device/sensor.channel", 10min)', at)
    }
    this.#expect(')')
    return { kind: 'neighbour', ref: { device, sensor, channel, maxAgeMs: age.ms } }
  }
}

function nameNode(name: string, at: number): Node {
  if (name === 'address') return { kind: 'address' }
  const [first = '', second] = name.split('.')
  if (second === undefined) return { kind: 'channel', id: first, at }
  if (first === 'cal') return { kind: 'cal', name: second }
  throw new ExpressionFault(`only cal has parts, ${first} has none`, at)
}

/** Parses an expression over channels. Throws ExpressionFault. */
export const parseExpression = (source: string): Node => new Parser(source, false).whole()

/** Parses a time such as "300ms + 50ms*address". Throws ExpressionFault. */
export const parseDuration = (source: string): Node => new Parser(source, true).whole()
