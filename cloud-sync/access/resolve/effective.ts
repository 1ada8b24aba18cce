import type { GatewayChange, PolicyFacts, Proposal } from '../../contract/index.ts'
import { directionOf, objectionTo } from './authorise.ts'
import { fold } from './fold.ts'
import { historyOf } from './history.ts'
import { MERGE_RULES } from './register.ts'

/**
 * What holds at a gateway: the last facts from the cloud with the gateway's own changes that these do not have yet.
 *
 * What was taken away stays taken away, whatever came from the cloud meanwhile: that its author may have lost the right
 * is for the cloud to judge. What was given holds while its author could still give it under the newest facts. Nothing
 * that was changed under an older owner of the gateway has effect.
 */
export function effectiveFacts(base: PolicyFacts, changes: readonly GatewayChange[]): PolicyFacts {
  const live = changes.filter(({ ownerEpoch }) => ownerEpoch === base.owner?.ownerEpoch)
  const { order } = historyOf(live.map(({ proposal }) => proposal))
  const holding: Proposal[] = []
  let facts = base
  for (const proposal of order) {
    if (directionOf(proposal, facts) !== 'narrowing' && objectionTo(proposal, facts) !== undefined) continue
    holding.push(proposal)
    facts = fold(base, holding, { rules: MERGE_RULES, voided: NONE, narrowing: NONE })
  }
  return facts
}

const NONE: ReadonlySet<string> = new Set<string>()
