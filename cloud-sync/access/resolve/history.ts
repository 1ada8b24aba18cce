import type { Proposal } from '../../contract/index.ts'

export type ProposalId = string
export const idOf = ({ dot }: Proposal): ProposalId => `${dot.replica}:${dot.seq}`

/** Whether `a` had been seen where `b` was made. */
export const precedes = (a: Proposal, b: Proposal): boolean =>
  a !== b && (b.seen[a.dot.replica] ?? 0) >= a.dot.seq

export const areConcurrent = (a: Proposal, b: Proposal): boolean =>
  a !== b && !precedes(a, b) && !precedes(b, a)

export interface History {
  /** Each once, causes before effects, the same for the same set in whatever order it came. */
  readonly order: readonly Proposal[]
  /** Two different changes under one dot: their replica lies or was set back, and neither counts. */
  readonly forked: readonly ProposalId[]
}

export function historyOf(proposals: readonly Proposal[]): History {
  const byId = new Map<ProposalId, Proposal>()
  const forked = new Set<ProposalId>()
  for (const proposal of proposals) {
    const id = idOf(proposal)
    const known = byId.get(id)
    if (known === undefined) byId.set(id, proposal)
    else if (known !== proposal && contentOf(known) !== contentOf(proposal)) forked.add(id)
  }
  const order = [...byId].filter(([id]) => !forked.has(id)).map(([, proposal]) => proposal)
  return { order: order.sort(compare), forked: [...forked].sort() }
}

/** Who has seen a change has seen all that it had seen, and it: so causes have seen less than their effects. */
function compare(a: Proposal, b: Proposal): number {
  const order = seenBy(a) - seenBy(b) || a.dot.seq - b.dot.seq
  return order !== 0 ? order : a.dot.replica < b.dot.replica ? -1 : 1
}
const seenBy = ({ seen }: Proposal): number => Object.values(seen).reduce((sum, count) => sum + count, 0)

/** The same text for the same content, whatever the order of the names. */
const contentOf = (proposal: Proposal): string =>
  JSON.stringify(proposal, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
