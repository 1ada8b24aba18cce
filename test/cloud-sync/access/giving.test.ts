import { expect, test } from 'vitest'
import type { MemberName } from '../../../cloud-sync/contract/index.ts'
import { ask, factsOf, grant, organisation, person } from '../../support/access-cast.ts'

const facts = (device: object, more: object = {}) =>
  factsOf({
    organisations: [organisation('prime', { type: 'partner' }), organisation('bolt')],
    members: [person('prime:pia', 'super-installer'), person('acme:obs', 'observer')],
    links: [{ id: 'l1', partner: 'prime', customer: 'acme', cap: 'super-installer' }],
    devices: [{ id: 'weir', org: 'acme', ownerEpoch: 1, ...device }],
    ...more,
  })
const lifting = { about: { member: 'obs' as MemberName, role: 'member' } } as const

test.each([
  [
    'who owns the organisation lifts an observer who looks after a device',
    'acme:olga',
    { custodian: 'obs' },
    true,
  ],
  ['a partner does not: it lacks what the custodian has', 'prime:pia', { custodian: 'obs' }, false],
  ['a partner lifts one who was given nothing', 'prime:pia', {}, true],
])('%s', (_, who, device, isAllowed) => {
  const decision = ask(facts(device), `${who} member.role org acme`, lifting)
  expect(decision.allowed ? 'allowed' : decision.because).toBe(isAllowed ? 'allowed' : 'lacking')
})

test('what another organisation gave its observer is not given by lifting them', () => {
  const given = facts(
    {},
    {
      policies: [{ id: 'p1', from: 'bolt', to: 'acme' }],
      devices: [{ id: 'pump', org: 'bolt', ownerEpoch: 1 }],
      grants: [grant('g1', 'device pump', 'acme:obs', 'owner', { via: 'p1' })],
    },
  )
  expect(ask(given, 'prime:pia member.role org acme', lifting).allowed).toBe(true)
})
