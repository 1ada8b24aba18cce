import type { Ask } from './ask.ts'
import { COLUMN_OF_ROLE, COLUMN_ON_THING } from './matrix.ts'
import type { Path, Subject } from './subjects.ts'
import type { Thing } from './things.ts'

/** Every way from this subject to this thing. Who left has only what they were left with. */
export function pathsOf({ subject, thing, rule, policy }: Ask): Path[] {
  const granted = grantsTo(subject, thing)
  if (subject.member.state === 'left') return granted.filter(({ grant }) => grant?.legacy === true)
  const paths = [...granted, ...(subject.links.get(thing.org) ?? [])]
  const isOwn = subject.org.id === thing.org
  if (isOwn) paths.push(...subject.roles)
  if (isOwn && isCustodian(subject, thing))
    paths.push(subject.org.type === 'customer' ? OF_CUSTOMER : CUSTODIAN)
  if (!isOwn && rule.host && subject.org.id === policy.facts.owner?.org) {
    paths.push(...subject.roles.map((path) => ({ ...path, via: 'host' })))
  }
  return paths
}

function grantsTo({ granted }: Subject, { chain }: Thing): Path[] {
  const paths: Path[] = []
  for (const list of granted) {
    for (const thing of chain) {
      const found = list.get(thing)
      if (found !== undefined) paths.push(...found)
    }
  }
  return paths
}

const isCustodian = ({ member }: Subject, { custodian }: Thing): boolean =>
  custodian?.name === member.name && custodian.incarnation === member.incarnation

const CUSTODIAN: Path = {
  via: 'custodian',
  column: COLUMN_ON_THING.owner,
  level: 'owner',
  role: null,
  grant: null,
  without: null,
  cap: null,
  endsAt: Infinity,
  lapsesAt: Infinity,
}
/** Nobody at a customer's has more of a thing than its owner may have there: customers never configure. */
const OF_CUSTOMER: Path = { ...CUSTODIAN, cap: COLUMN_OF_ROLE['customer-owner'] }
