import { FUNCTIONS } from './functions.ts'
import type { NeighbourRef, Node, Operator } from './parse.ts'

/** Where the names of an expression get their values. */
export interface Scope {
  channel(id: string): number
  cal(name: string): number
  readonly address: number
  neighbour(ref: NeighbourRef): number
}

const OPERATORS: Record<Operator, (left: number, right: number) => number> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
  '^': (left, right) => left ** right,
}

/** The value of an expression, in doubles; NaN or infinite where the mathematics is. What the scope throws passes. */
export function evaluate(node: Node, scope: Scope): number {
  switch (node.kind) {
    case 'number':
      return node.value
    case 'channel':
      return scope.channel(node.id)
    case 'cal':
      return scope.cal(node.name)
    case 'address':
      return scope.address
    case 'neighbour':
      return scope.neighbour(node.ref)
    case 'negate':
      return -evaluate(node.of, scope)
    case 'binary':
      return OPERATORS[node.operator](evaluate(node.left, scope), evaluate(node.right, scope))
    case 'call':
      return FUNCTIONS.get(node.name)?.run(node.args.map((arg) => evaluate(arg, scope))) ?? Number.NaN
  }
}

/** What an expression refers to. */
export interface Uses {
  readonly channels: readonly { readonly id: string; readonly at: number }[]
  readonly cal: readonly string[]
  readonly neighbours: readonly NeighbourRef[]
  readonly address: boolean
}

function leaves(node: Node): Node[] {
  switch (node.kind) {
    case 'negate':
      return leaves(node.of)
    case 'binary':
      return [...leaves(node.left), ...leaves(node.right)]
    case 'call':
      return node.args.flatMap(leaves)
    case 'number':
    case 'channel':
    case 'cal':
    case 'address':
    case 'neighbour':
      return [node]
  }
}

/** Every name in an expression, in order. */
export function usesOf(node: Node): Uses {
  const all = leaves(node)
  return {
    channels: all.flatMap((leaf) => (leaf.kind === 'channel' ? [{ id: leaf.id, at: leaf.at }] : [])),
    cal: all.flatMap((leaf) => (leaf.kind === 'cal' ? [leaf.name] : [])),
    neighbours: all.flatMap((leaf) => (leaf.kind === 'neighbour' ? [leaf.ref] : [])),
    address: all.some((leaf) => leaf.kind === 'address'),
  }
}
