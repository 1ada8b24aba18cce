import { describe, expect, test } from 'vitest'
import { authenticate, PRESET_PACKS } from '../../../cloud-sync/access/index.ts'
import { type Grantee } from '../../../cloud-sync/contract/index.ts'
import {
  ask,
  factsOf,
  type FactsInput,
  grant,
  organisation,
  person,
  told,
} from '../../support/access-cast.ts'

type About = NonNullable<Parameters<typeof ask>[2]>['about']
type Case = readonly [name: string, facts: FactsInput, words: string, answer: string, about?: About]

const basic = { members: [person('acme:bas', 'member')] }
const HASH = 'ab'.repeat(32)
const key = (name: string, member: string, more: object = {}): object => ({
  ...{ org: 'acme', name, member, incarnation: 1, hash: HASH },
  ...more,
})
const to = (login: string): Grantee => {
  const [org, name] = login.split(':')
  return { kind: 'member', org, name, incarnation: 1 } as Grantee
}

describe('sensemetrics', () => {
  const away = {
    organisations: [organisation('beta'), organisation('gamma')],
    members: [person('acme:bas', 'member'), person('beta:bob', 'owner'), person('gamma:gil', 'owner')],
  }
  const oneWay = { ...away, policies: [{ id: 'p1', from: 'acme', to: 'beta' }] }
  const betas = { devices: [{ id: 'weir', org: 'beta', ownerEpoch: 1 }] }
  const cases: Case[] = [
    ['S0.1 a basic user does not reach organization settings', basic, 'acme:bas org.update org acme', 'role'],
    ['S0.1 nor billing', basic, 'acme:bas billing.read org acme', 'role'],
    ['S0.1 an admin reaches both', {}, 'acme:olga billing.manage org acme', 'role:owner'],
    ['S0.8 whoever wants to leaves', basic, 'acme:bas self.leave org acme', 'role:member'],
    ['S0.8 but not the last admin', {}, 'acme:olga self.leave org acme', 'last-owner'],
    [
      'S0.9 who left sees what was shared with them',
      {
        members: [person('acme:gone', 'member', { state: 'left' })],
        grants: [grant('g1', 'device tilt', 'acme:gone', 'viewer', { legacy: true })],
      },
      'acme:gone data.read device tilt',
      'grant:g1',
    ],
    [
      'S0.9 and nothing else',
      {
        members: [person('acme:gone', 'owner', { state: 'left' })],
        grants: [grant('g1', 'device tilt', 'acme:gone', 'viewer')],
      },
      'acme:gone data.read device tilt',
      'unknown-resource',
    ],
    [
      'S0.9 an admin ends what a leaver kept',
      {
        members: [person('acme:gone', 'member', { state: 'left' })],
        grants: [grant('g1', 'device tilt', 'acme:gone', 'viewer', { legacy: true })],
      },
      'acme:olga share.revoke device tilt',
      'role:owner',
      { grant: 'g1' as never },
    ],
    [
      'S0.10 what somebody had before leaving does not come back with them',
      {
        members: [person('acme:back', 'member', { incarnation: 2 })],
        grants: [grant('g1', 'device tilt', 'acme:back', 'editor', { legacy: true })],
      },
      'acme:back data.read device tilt',
      'role',
    ],
    [
      'S0.12 a key has the rights of its user',
      { keys: [key('excel', 'olga')] },
      'acme:excel data.read device tilt',
      'key:excel role:owner',
    ],
    [
      'S0.12 and no more',
      { ...basic, keys: [key('excel', 'bas')] },
      'acme:excel data.read device tilt',
      'role',
    ],
    ['S0.14 a basic user sets up no policy', basic, 'acme:bas crossorg.manage org acme', 'role'],
    ['S0.14 a basic user adds nobody', basic, 'acme:bas member.invite org acme', 'role'],
    ['S0.14 an admin does both', {}, 'acme:olga crossorg.manage org acme', 'role:owner'],
    [
      'S0.15 an admin removes a member',
      basic,
      'acme:olga member.remove org acme',
      'role:owner',
      { member: 'bas' as never },
    ],
    [
      'S0.17 an admin makes a basic user admin',
      basic,
      'acme:olga member.role org acme',
      'role:owner',
      { member: 'bas' as never, role: 'owner' },
    ],
    [
      'S0.17 the last admin stays one',
      {},
      'acme:olga member.role org acme',
      'last-owner',
      { member: 'olga' as never, role: 'member' },
    ],
    ['S0.19 a new user sees nothing until it is shared', basic, 'acme:bas data.read device tilt', 'role'],
    [
      'S0.19 a view alone shows no data',
      { ...basic, grants: [grant('g1', 'item v1', 'acme:bas', 'viewer')] },
      'acme:bas data.read device tilt',
      'role',
    ],
    [
      'S0.20 nothing is shared with who has not joined',
      { members: [person('acme:new', 'member', { state: 'invited' })] },
      'acme:olga share.grant device tilt',
      'invitee-pending',
      { to: to('acme:new'), level: 'viewer' },
    ],
    [
      'S0.20 and who has not joined does nothing',
      { members: [person('acme:new', 'owner', { state: 'invited' })] },
      'acme:new data.read device tilt',
      'not-joined',
    ],
    [
      'S0.21 without a policy nothing is shared outside',
      away,
      'acme:olga share.grant device tilt',
      'no-cross-policy',
      { to: to('beta:bob'), level: 'viewer' },
    ],
    [
      'S0.21 a grant without a live policy gives nothing',
      { ...away, grants: [grant('g1', 'device tilt', 'beta:bob', 'viewer', { via: 'p1' })] },
      'beta:bob data.read device tilt',
      'unknown-resource',
    ],
    [
      'S0.22 with one, whoever may share may share there',
      { ...oneWay, grants: [grant('g1', 'device tilt', 'acme:bas', 'owner')] },
      'acme:bas share.grant device tilt',
      'grant:g1',
      { to: to('beta:bob'), level: 'viewer' },
    ],
    [
      'S0.28 one way: from here to there',
      oneWay,
      'acme:olga share.grant device tilt',
      'role:owner',
      { to: to('beta:bob'), level: 'viewer' },
    ],
    [
      'S0.28 and not from there to here',
      { ...oneWay, ...betas },
      'beta:bob share.grant device weir',
      'no-cross-policy',
      { to: to('acme:bas'), level: 'viewer' },
    ],
    [
      'S0.28 nor onward to a third',
      { ...oneWay, grants: [grant('g1', 'device tilt', 'beta:bob', 'editor', { via: 'p1' })] },
      'beta:bob share.grant device tilt',
      'no-cross-policy',
      { to: to('gamma:gil'), level: 'viewer' },
    ],
  ]
  test.for(cases)('%s', ([, facts, words, answer, about]) => {
    expect(told(ask(factsOf(facts), words, about === undefined ? {} : { about }))).toBe(answer)
  })
  test('S0.7 a person is in one organization', () => {
    expect(PRESET_PACKS.sensemetrics.singleOrganisation).toBe(true)
  })
  test('S0.18 whoever is invited becomes a basic user', () => {
    expect(PRESET_PACKS.sensemetrics.invitesAs).toBe('member')
    expect(PRESET_PACKS.sensemetrics.roles['Basic']).toEqual({ on: 'organisation', role: 'member' })
  })
  test('S0.13 a new key breaks what used the old one', () => {
    const login = (hash: string, known: string): boolean =>
      authenticate({
        snapshot: factsOf({ keys: [key('olga', 'olga', { hash: known })] }),
        username: 'acme:olga',
        keyHash: hash as never,
        equal: (a, b) => a === b,
      }).ok
    const next = 'cd'.repeat(32)
    expect([login(HASH, HASH), login(HASH, next), login(next, next)]).toEqual([true, false, true])
  })
})
