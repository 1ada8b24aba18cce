import type { PolicySnapshot } from '../contract/index.ts'
import type { When } from './question.ts'

/** `stale`: no widening here. `expired`: what crosses organisations has ended too; the own organisation goes on. */
export type Freshness = 'fresh' | 'stale' | 'expired'

/** What limits a policy in time; the cloud's own has no limits. */
export type Terms = Pick<PolicySnapshot, 'issuedAt' | 'freshUntil' | 'hardUntil'>
export const NO_TERMS: Terms = { issuedAt: 0, freshUntil: null, hardUntil: null }

/** How far a policy may be believed. A boot without signed time is stale at best: its clock may be anywhere. */
export function freshnessOf(terms: Terms, when: When): Freshness {
  if (when.place === 'cloud') return 'fresh'
  if (when.at >= (terms.hardUntil ?? Infinity)) return 'expired'
  if (terms.freshUntil === null) return 'fresh'
  return when.signed && when.at < terms.freshUntil ? 'fresh' : 'stale'
}

/** When something that crosses organisations ends at a gateway for want of news: at its own time, else with the policy. */
export function lapsesAt({ issuedAt, hardUntil }: Terms, ...ttls: readonly (number | null)[]): number {
  const own = ttls.map((ttl) => (ttl === null ? Infinity : issuedAt + ttl))
  return Math.min(hardUntil ?? Infinity, ...own)
}
