import { expect, test } from 'vitest'
import { objectionTo } from '../../../cloud-sync/access/resolve/authorise.ts'
import { type MemberName, type PolicyFacts, Proposal } from '../../../cloud-sync/contract/index.ts'
import { ask, factsOf, organisation, person, told } from '../../support/access-cast.ts'

const key = (name: string, member: string, scope = 'full') => ({
  org: 'acme',
  name,
  member,
  incarnation: 1,
  scope,
  hash: name.padEnd(64, '0').replaceAll(/[^0-9a-f]/g, '0'),
})
/** acme: olga and otto own, adam and anne administer, mia is a member; a partner's pat works there. */
const facts: PolicyFacts = factsOf({
  organisations: [organisation('pro', { type: 'partner' })],
  members: [
    person('acme:otto', 'owner'),
    person('acme:adam', 'admin'),
    person('acme:anne', 'admin'),
    person('pro:pat', 'super-installer'),
  ],
  links: [{ id: 'l1', partner: 'pro', customer: 'acme', cap: 'super-installer' }],
  keys: [key('pump', 'olga'), key('reads', 'mia', 'read'), key('writes', 'mia', 'write'), key('all', 'mia')],
})

const ended: [string, string, string, string][] = [
  ['an admin ends no key of an owner', 'acme:adam', 'olga', 'rank'],
  ['nor of another admin', 'acme:adam', 'anne', 'rank'],
  ['but those of a member', 'acme:adam', 'mia', 'role:admin'],
  ['and the own ones', 'acme:adam', 'adam', 'role:admin'],
  ['an owner ends those of another owner', 'acme:olga', 'otto', 'role:owner'],
  ['a partner’s people none of an owner', 'pro:pat', 'olga', 'rank'],
  ['a member none', 'acme:mia', 'adam', 'role'],
]
test.for(ended)('%s, on site as in the cloud', ([, who, member, answer]) => {
  for (const place of ['cloud', 'gateway'] as const) {
    const when = place === 'cloud' ? { place, at: 1_000 } : { place, at: 1_000, signed: true }
    const about = { member: member as MemberName }
    expect(told(ask(facts, `${who} token.revokeAny org acme`, { when, about }))).toBe(answer)
  }
})

test.for([
  ['adam', 'pump', 'rank'],
  ['olga', 'pump', undefined],
  ['adam', 'all', undefined],
] as const)('%s blocks the key %s: the cloud judges by whose it is', ([author, name, because]) => {
  const blocking = Proposal.parse({
    dot: { replica: 'gw-1', seq: 1 },
    seen: {},
    author: { org: 'acme', name: author, incarnation: 1 },
    at: 1,
    change: { kind: 'key.block', org: 'acme', name },
  })
  expect(objectionTo(blocking, facts)).toBe(because)
})

test.for([
  ['reads', 'capped-scope'],
  ['writes', 'capped-scope'],
  ['all', 'key:all role:member'],
])('who leaves is the person: with the key %s it is %s', ([name, answer]) => {
  expect(told(ask(facts, `acme:${name} self.leave org acme`))).toBe(answer)
})
