import { describe, expect, test } from 'vitest'
import { PRESET_PACKS, whoCan, compilePolicy } from '../../../cloud-sync/access/index.ts'
import { Workspace } from '../../../cloud-sync/contract/index.ts'
import {
  ask,
  CLOUD,
  factsOf,
  type FactsInput,
  grant,
  organisation,
  person,
  resourceOf,
  told,
} from '../../support/access-cast.ts'

type About = NonNullable<Parameters<typeof ask>[2]>['about']
type Case = readonly [name: string, facts: FactsInput, words: string, answer: string, about?: About]

const HASH = 'ab'.repeat(32)
const key = (name: string, member: string, more: object = {}): object => ({
  ...{ org: 'acme', name, member, incarnation: 1, hash: HASH },
  ...more,
})
describe('TagoIO', () => {
  const vendors = [
    { id: 'team', org: 'acme', name: 'team', without: ['member.invite', 'quota.allocate', 'audit.read'] },
  ]
  const shared = {
    organisations: [organisation('ext')],
    members: [person('ext:tim', 'owner')],
    workspaces: [{ id: 'two', org: 'acme', name: 'dam', type: 'profile' }],
    devices: [{ id: 'other', org: 'acme', ownerEpoch: 1, workspace: 'two' }],
    roles: vendors,
    policies: [{ id: 'p1', from: 'acme', to: 'ext', maxLevel: 'owner' }],
    grants: [grant('g1', 'workspace dam', 'ext:tim', 'owner', { via: 'p1', custom: 'team' })],
    keys: [
      key('reads', 'olga', { scope: 'read' }),
      key('writes', 'olga', { scope: 'write' }),
      key('old', 'olga', { expiresAt: 500 }),
    ],
  }
  const cases: Case[] = [
    ['S3.2 who has one profile', shared, 'ext:tim data.read device tilt', 'grant:g1'],
    ['S3.2 has nothing of another', shared, 'ext:tim data.read device other', 'unknown-resource'],
    [
      'S3.4 an outsider is let into one profile only',
      shared,
      'ext:tim ws.update workspace two',
      'unknown-resource',
    ],
    [
      'S3.6 rights of one account are not there in another',
      shared,
      'ext:olga data.read device tilt',
      'unknown-principal',
    ],
    ['S3.14 a token for reading reads', shared, 'acme:reads data.read device tilt', 'key:reads role:owner'],
    ['S3.14 and does not write', shared, 'acme:reads device.operate device tilt', 'capped-scope'],
    ['S3.14 one for writing does not read', shared, 'acme:writes data.read device tilt', 'capped-scope'],
    ['S3.14 an expired one does nothing', shared, 'acme:old data.read device tilt', 'key-expired'],
    ['S3.14 making one takes the password', shared, 'acme:olga token.self org acme', 'step-up', {}],
    [
      'S3.19 a team member reaches all of the profile',
      shared,
      'ext:tim device.config device crack',
      'grant:g1',
    ],
    ['S3.19 but invites nobody', shared, 'ext:tim member.invite workspace dam', 'role'],
    ['S3.19 and allocates nothing', shared, 'ext:tim quota.allocate workspace dam', 'role'],
  ]
  test.for(cases)('%s', ([, facts, words, answer, about]) => {
    expect(told(ask(factsOf(facts), words, about === undefined ? {} : { about }))).toBe(answer)
  })
  test('S3.1 a profile that is shared is still its owner’s', () => {
    expect(factsOf(shared).workspaces.every(({ org }) => org === 'acme')).toBe(true)
    expect(told(ask(factsOf(shared), 'ext:tim share.changeOwner workspace dam'))).toBe('role')
  })
  test('S3.10 two profiles may have one name', () => {
    expect(factsOf(shared).workspaces.map(({ name }) => name)).toEqual(['dam', 'dam'])
    expect(Workspace.safeParse({ id: 'x', org: 'acme', name: 'dam' }).success).toBe(true)
  })
  test('S3.12 who is invited has an account already', () => {
    expect(PRESET_PACKS.tagoio.inviteNeedsAccount).toBe(true)
  })
})

describe('meter.me', () => {
  const partner = {
    organisations: [organisation('prime', { type: 'partner' }), organisation('sub', { type: 'partner' })],
    members: [
      ...[person('prime:sue', 'super-installer'), person('prime:sys', 'systems-admin')],
      ...[person('prime:ivy', 'installer'), person('sub:sam', 'super-installer')],
    ],
    links: [
      { id: 'l1', partner: 'prime', customer: 'acme' },
      { id: 'l2', partner: 'sub', customer: 'prime' },
    ],
  }
  const ended = { ...partner, links: [{ id: 'l1', partner: 'prime', customer: 'acme', state: 'ended' }] }
  const cases: Case[] = [
    [
      'S4.4 a partner creates customers',
      partner,
      'prime:sys customer.create org prime',
      'role:systems-admin',
    ],
    ['S4.4 an installer does not', partner, 'prime:ivy customer.create org prime', 'role'],
    [
      'S4.5 a partner makes systems in the customer’s organization',
      partner,
      'prime:sys ws.create org acme',
      'link:l1/systems-admin',
    ],
    [
      'S4.6 a partner’s team reaches every system without a row of its own',
      partner,
      'prime:sue data.read sensor tilt/main',
      'link:l1/super-installer',
    ],
    [
      'S4.6 the partner of a partner does not',
      partner,
      'sub:sam data.read sensor tilt/main',
      'unknown-resource',
    ],
    [
      'S4.6 and the end of the link ends it',
      ended,
      'prime:sue data.read sensor tilt/main',
      'unknown-resource',
    ],
    [
      'S4.9 a partner manages the customer’s organization',
      partner,
      'prime:sue org.update org acme',
      'link:l1/super-installer',
    ],
    [
      'S4.13 by the permissions of their role: an installer installs',
      partner,
      'prime:ivy device.config device tilt',
      'link:l1/installer',
    ],
    ['S4.13 a systems admin does not', partner, 'prime:sys gw.claim org acme', 'role'],
    [
      'S4.13 from acceptance, not from invitation',
      { ...partner, members: [person('prime:neo', 'installer', { state: 'invited' })] },
      'prime:neo device.config device tilt',
      'not-joined',
    ],
  ]
  test.for(cases)('%s', ([, facts, words, answer, about]) => {
    expect(told(ask(factsOf(facts), words, about === undefined ? {} : { about }))).toBe(answer)
  })
  test('S4.6 a member who joins the partner later reaches all customers at once', () => {
    const compiled = compilePolicy(factsOf({ ...partner, grants: [] }))
    const able = whoCan({ action: 'data.read', resource: resourceOf('device tilt'), when: CLOUD }, compiled)
    expect(able.map(({ org, name }) => `${org}:${name}`)).toEqual([
      'acme:olga',
      'prime:sue',
      'prime:sys',
      'prime:ivy',
    ])
  })
  test('S4.2 partners and customers are organizations', () => {
    const types = factsOf(partner).organisations.map(({ type }) => type)
    expect(types).toEqual(['standard', 'partner', 'partner'])
  })
  test('S4.3 a system belongs to an organization', () => {
    expect(Workspace.safeParse({ id: 'x', name: 'a system', type: 'system' }).success).toBe(false)
  })
})
