import { expect, test } from 'vitest'
import { compilePolicy, decide, type Question, type When } from '../../../cloud-sync/access/index.ts'
import type { Grantee } from '../../../cloud-sync/contract/index.ts'
import { factsOf, grant, organisation, person, resourceOf, told } from '../../support/access-cast.ts'

const HOUR = 3_600_000
/** Issued at hour 0, fresh for a day, hard end after thirty; beta's policy lives 24 hours offline, gamma's to the end. */
const policy = compilePolicy({
  ...factsOf({
    organisations: [organisation('beta'), organisation('gamma'), organisation('prime', { type: 'partner' })],
    members: [
      ...[person('acme:olaf', 'owner'), person('acme:mo', 'member'), person('beta:bob', 'viewer')],
      ...[person('gamma:gil', 'viewer'), person('prime:ivy', 'installer')],
    ],
    policies: [
      { id: 'p1', from: 'acme', to: 'beta', offlineTtl: 24 * HOUR },
      { id: 'p2', from: 'acme', to: 'gamma' },
    ],
    links: [{ id: 'l1', partner: 'prime', customer: 'acme', offlineTtl: 48 * HOUR }],
    grants: [
      grant('g1', 'device tilt', 'beta:bob', 'viewer', { via: 'p1' }),
      grant('g2', 'device tilt', 'gamma:gil', 'viewer', { via: 'p2' }),
      grant('g3', 'device tilt', 'acme:mo', 'viewer', { expiresAt: 72 * HOUR }),
    ],
  }),
  issuedAt: 0,
  freshUntil: 24 * HOUR,
  hardUntil: 720 * HOUR,
})

const at = (hour: number, signed = true): When => ({ place: 'gateway', at: hour * HOUR, signed })
const MIA: Grantee = { kind: 'member', org: 'acme', name: 'mia', incarnation: 1 } as Grantee
const viewer = { to: MIA, level: 'viewer' } as const
type Case = [what: string, words: string, when: When, answer: string, about?: Question['about']]

const cases: Case[] = [
  ['an owner operates while fresh', 'acme:olga device.operate device tilt', at(1), 'role:owner'],
  ['and stale', 'acme:olga device.operate device tilt', at(25), 'role:owner'],
  [
    'and a year later: nobody loses the valve by age',
    'acme:olga device.operate device tilt',
    at(9_000),
    'role:owner',
  ],
  ['showing is widening: fresh only', 'acme:olga share.grant device tilt', at(1), 'role:owner', viewer],
  [
    'the last millisecond of freshness',
    'acme:olga share.grant device tilt',
    at(24 - 1 / HOUR),
    'role:owner',
    viewer,
  ],
  ['not from the instant it ends', 'acme:olga share.grant device tilt', at(24), 'stale', viewer],
  [
    'nor after a boot without signed time',
    'acme:olga share.grant device tilt',
    at(1, false),
    'stale',
    viewer,
  ],
  [
    'and never more than to look',
    'acme:olga share.grant device tilt',
    at(1),
    'viewer-only-here',
    { to: MIA, level: 'editor' },
  ],
  [
    'taking away is always possible',
    'acme:olga share.revoke device tilt',
    at(9_000),
    'role:owner',
    { grant: 'g1' as never },
  ],
  [
    'a member is removed, stale',
    'acme:olga member.remove org acme',
    at(25),
    'role:owner',
    { member: 'mo' as never },
  ],
  [
    'but no owner: two could remove each other apart',
    'acme:olga member.remove org acme',
    at(1),
    'cloud-only',
    { member: 'olaf' as never },
  ],
  ['nor does an owner leave here', 'acme:olga self.leave org acme', at(1), 'cloud-only'],
  [
    'a guest of another organisation reads while its time runs',
    'beta:bob data.read device tilt',
    at(23),
    'grant:g1',
  ],
  ['and not after its own time', 'beta:bob data.read device tilt', at(24), 'lapsed'],
  ['one without a time of its own', 'gamma:gil data.read device tilt', at(719), 'grant:g2'],
  ['ends with the policy', 'gamma:gil data.read device tilt', at(720), 'lapsed'],
  ['a partner works', 'prime:ivy device.config device tilt', at(47), 'link:l1/installer'],
  ['until the link’s time', 'prime:ivy device.config device tilt', at(48), 'lapsed'],
  ['a grant with an end', 'acme:mo data.read device tilt', at(71), 'grant:g3'],
  ['ends', 'acme:mo data.read device tilt', at(72), 'expired'],
  ['what only the cloud does', 'acme:olga data.delete device tilt', at(1), 'cloud-only', { stepUp: true }],
  [
    'the cloud itself never lapses',
    'beta:bob data.read device tilt',
    { place: 'cloud', at: 9_000 * HOUR },
    'grant:g1',
  ],
  [
    'a ticket is enough to claim, however old the policy',
    'acme:mo gw.claim org acme',
    at(9_000),
    'role:member',
    { ticket: true },
  ],
]
const questionOf = ([, words, when, , about]: Case): Question => {
  const [login = '', action, ...on] = words.split(' ')
  const [org, name] = login.split(':')
  const question = { principal: { org, name }, action, resource: resourceOf(on.join(' ')), when }
  return { ...question, ...(about === undefined ? {} : { about }) } as Question
}

test.for(cases)('%s: %s', (one) => {
  expect(told(decide(questionOf(one), policy))).toBe(one[3])
})

test('what is remembered of one time is not answered at another, forwards, backwards and elsewhere', () => {
  for (const one of [...cases, ...cases.toReversed(), ...cases]) {
    expect([one[0], told(decide(questionOf(one), policy))]).toEqual([one[0], one[3]])
  }
})
