import type { OrgId, OwnedGateway } from '../../cloud-sync/contract/index.ts'

/** What every state of a gateway's claim has. */
interface Known {
  /** Of the code that opens; 0 = the gateway has not been told one. */
  readonly generation: number
  /** Public key of that code, base64. */
  readonly claimKey: string | null
  /** Claims so far. */
  readonly counter: number
  /**
   * The policy in force when the last claim or release was made, by its name: it says nothing about this one. Null = any
   * policy counts.
   */
  readonly before: string | null
}

/** Whose the gateway is, as far as it knows itself. */
export type ClaimState = Known &
  (
    | { readonly state: 'unclaimed' }
    | { readonly state: 'provisional' | 'claimed'; readonly org: OrgId }
    | { readonly state: 'disputed' | 'decommissioned' }
  )

export const NEW_GATEWAY: ClaimState = {
  state: 'unclaimed',
  generation: 0,
  claimKey: null,
  counter: 0,
  before: null,
}

export type ClaimInput =
  /** Ticket, proof and presence were checked. */
  | {
      readonly event: 'claim'
      readonly org: OrgId
      /** The highest counter that was ever promised, also by a database that is gone. */
      readonly counterMin: number
      readonly policy: string
    }
  | {
      readonly event: 'birth'
      readonly generation: number
      readonly claimKey: string
      readonly policy: string
    }
  | {
      readonly event: 'policy'
      readonly claim: OwnedGateway['claim']
      readonly org: OrgId
      readonly policy: string
    }

/** What the gateway has to tell its cloud after a step; null = nothing. */
export type ClaimStep = { readonly next: ClaimState; readonly tells: 'claimed' | 'released' | null }

/** One step of the claim, pure. An input that says nothing new gives the same state back. */
export function nextClaim(now: ClaimState, input: ClaimInput): ClaimStep {
  switch (input.event) {
    case 'claim':
      return afterClaim(now, input)
    case 'birth':
      return afterBirth(now, input)
    case 'policy':
      return { next: afterPolicy(now, input), tells: null }
  }
}

function afterClaim(now: ClaimState, input: Extract<ClaimInput, { event: 'claim' }>): ClaimStep {
  if (now.state !== 'unclaimed' || now.claimKey === null) return { next: now, tells: null }
  const counter = Math.max(now.counter, input.counterMin) + 1
  const next = {
    ...knownOf(now),
    state: 'provisional',
    org: input.org,
    counter,
    before: input.policy,
  } as const
  return { next, tells: 'claimed' }
}

/** The first code that it is told is only learnt; a later one says that whoever had the gateway has let it go. */
function afterBirth(now: ClaimState, input: Extract<ClaimInput, { event: 'birth' }>): ClaimStep {
  const { generation, claimKey, policy } = input
  if (generation <= now.generation || now.state === 'decommissioned') return { next: now, tells: null }
  if (now.generation === 0) return { next: { ...now, generation, claimKey }, tells: null }
  const next = { ...knownOf(now), state: 'unclaimed', generation, claimKey, before: policy } as const
  // Also where it was unclaimed: the cloud waits for the word that the new code is the one that opens.
  return { next, tells: 'released' }
}

/** The cloud's word counts more than what was claimed here; one from before the claim or release says nothing about it. */
function afterPolicy(now: ClaimState, input: Extract<ClaimInput, { event: 'policy' }>): ClaimState {
  const { claim, org, policy } = input
  if (policy === now.before) return now
  switch (claim) {
    case 'claimed':
      return now.state === 'claimed' && now.org === org ? now : { ...knownOf(now), state: 'claimed', org }
    case 'disputed':
    case 'decommissioned':
      return now.state === claim ? now : { ...knownOf(now), state: claim }
    case 'unclaimed':
    case 'provisional':
    case 'releasing':
      // Nobody's yet or still: what ends an ownership is the next code.
      return now
  }
}

const knownOf = ({ generation, claimKey, counter, before }: ClaimState): Known => ({
  generation,
  claimKey,
  counter,
  before,
})
