import type { Grant, Member, PolicyFacts, Shareable } from '../../contract/index.ts'
import { granteeKey } from '../subjects.ts'

export const memberOf = (
  facts: PolicyFacts,
  { org, name }: Pick<Member, 'org' | 'name'>,
): Member | undefined => facts.members.find((member) => member.org === org && member.name === name)

/** One text for each thing and each grantee: there is one grant of each. */
export const grantKey = ({ on, to }: Pick<Grant, 'on' | 'to'>): string =>
  `${shareableKey(on)} ${granteeKey(to)}`

export function grantAt(facts: PolicyFacts, place: Pick<Grant, 'on' | 'to'>): Grant | undefined {
  const key = grantKey(place)
  return facts.grants.find((grant) => grantKey(grant) === key)
}

function shareableKey(on: Shareable): string {
  switch (on.kind) {
    case 'gateway':
      return 'gateway'
    case 'workspace':
      return `workspace ${on.workspace}`
    case 'device':
      return `device ${on.device}`
    case 'sensor':
      return `sensor ${on.device}/${on.sensor}`
    case 'item':
      return `item ${on.item}`
  }
}
