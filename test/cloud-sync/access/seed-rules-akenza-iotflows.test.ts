import { describe, expect, test } from 'vitest'
import { PRESET_PACKS } from '../../../cloud-sync/access/index.ts'
import { TeamHandle } from '../../../cloud-sync/contract/index.ts'
import { ask, factsOf, type FactsInput, grant, person, told } from '../../support/access-cast.ts'

type About = NonNullable<Parameters<typeof ask>[2]>['about']
type Case = readonly [name: string, facts: FactsInput, words: string, answer: string, about?: About]

describe('akenza', () => {
  const akenza = { organisations: undefined }
  const staff = {
    members: [
      ...[person('acme:adam', 'admin'), person('acme:eva', 'editor'), person('acme:vic', 'viewer')],
      ...[person('acme:wes', 'member'), person('acme:won', 'member')],
    ],
    grants: [
      grant('ws1', 'workspace dam', 'acme:wes', 'editor'),
      grant('ws2', 'workspace dam', 'acme:won', 'owner'),
    ],
  }
  const inAkenza = (words: string, about: About = {}): string => {
    const facts = factsOf({ ...staff, ...akenza })
    const organisations = facts.organisations.map((one) => ({ ...one, preset: 'akenza' as const }))
    return told(ask({ ...facts, organisations }, words, { about: { stepUp: true, ...about } }))
  }
  const cases: (readonly [name: string, words: string, answer: string, about?: About])[] = [
    ['S1.6 an editor adds users', 'acme:eva member.invite org acme', 'role:editor', { role: 'member' }],
    ['S1.6 a viewer does not', 'acme:vic member.invite org acme', 'role', { role: 'member' }],
    [
      'S1.8 a member is removed',
      'acme:adam member.remove org acme',
      'role:admin',
      { member: 'eva' as never },
    ],
    ['S1.9 an editor edits the organization', 'acme:eva org.update org acme', 'role:editor'],
    ['S1.9 a viewer does not', 'acme:vic org.update org acme', 'role'],
    ['S1.10 the owner deletes the organization', 'acme:olga org.delete org acme', 'role:owner'],
    ['S1.10 the admin does not', 'acme:adam org.delete org acme', 'role'],
    ['S1.10 nor hands it over', 'acme:adam org.transferOwner org acme', 'role'],
    ['S1.14 a viewer adds a workspace', 'acme:vic ws.create org acme', 'role:viewer'],
    ['S1.14 a member does not', 'acme:wes ws.create org acme', 'role'],
    [
      'S1.16 a workspace editor adds an editor',
      'acme:wes member.invite workspace dam',
      'grant:ws1',
      { level: 'editor' },
    ],
    ['S1.16 but no administrator', 'acme:wes member.invite workspace dam', 'rank', { level: 'owner' }],
    [
      'S1.18 a workspace administrator changes a role',
      'acme:won member.role workspace dam',
      'grant:ws2',
      { member: 'wes' as never, level: 'viewer' },
    ],
    ['S1.19 a workspace editor edits its details', 'acme:wes ws.update workspace dam', 'grant:ws1'],
    ['S1.19 and does not delete it', 'acme:wes ws.delete workspace dam', 'role'],
  ]
  test.for(cases)('%s', ([, words, answer, about]) => {
    expect(inAkenza(words, about)).toBe(answer)
  })
  test('S1.10 an organization has one owner', () => {
    expect(PRESET_PACKS.akenza.singleOwner).toBe(true)
  })
  test('S1.8 removed from the organization, removed from its workspaces', () => {
    const facts = factsOf(staff)
    const without = { ...facts, members: facts.members.filter(({ name }) => name !== 'wes') }
    expect(told(ask(facts, 'acme:wes data.read workspace dam'))).toBe('grant:ws1')
    expect(told(ask(without, 'acme:wes data.read workspace dam'))).toBe('unknown-principal')
  })
})

describe('IoTFlows', () => {
  const crew = {
    members: [
      ...[person('acme:adam', 'admin'), person('acme:mem', 'member'), person('acme:obs', 'observer')],
    ],
    teams: [
      {
        org: 'acme',
        handle: 'maintenance-team',
        name: 'Maintenance',
        members: [{ name: 'mem', incarnation: 1, role: 'lead' }],
      },
    ],
    grants: [
      grant('g1', 'device tilt', 'acme:@maintenance-team', 'editor'),
      grant('g2', 'device tilt', 'acme:obs', 'editor'),
    ],
  }
  const cases: Case[] = [
    [
      'S2.7 an administrator invites',
      crew,
      'acme:adam member.invite org acme',
      'role:admin',
      { role: 'member' },
    ],
    ['S2.7 a member does not', crew, 'acme:mem member.invite org acme', 'role', { role: 'member' }],
    ['S2.10 the last owner does not leave', crew, 'acme:olga self.leave org acme', 'last-owner'],
    [
      'S2.10 nor is made less',
      crew,
      'acme:olga member.role org acme',
      'last-owner',
      { member: 'olga' as never, role: 'admin' },
    ],
    [
      'S2.11 the owner deletes the organization',
      crew,
      'acme:olga org.delete org acme',
      'role:owner',
      { stepUp: true },
    ],
    [
      'S2.12 the administrator does not delete it',
      crew,
      'acme:adam org.delete org acme',
      'role',
      { stepUp: true },
    ],
    ['S2.12 nor see costs', crew, 'acme:adam usage.read org acme', 'no-billing'],
    ['S2.12 the administrator manages the rest', crew, 'acme:adam team.manage org acme', 'role:admin'],
    [
      'S2.13 a member reaches what it was given',
      crew,
      'acme:mem device.operate device tilt',
      'team:maintenance-team/grant:g1',
    ],
    ['S2.13 and nothing else', crew, 'acme:mem data.read device crack', 'role'],
    ['S2.14 an observer reads what it was given', crew, 'acme:obs data.read device tilt', 'grant:g2'],
    [
      'S2.14 and only reads, whatever the grant says',
      crew,
      'acme:obs device.operate device tilt',
      'capped-role',
    ],
    [
      'S2.15 a team gives access',
      crew,
      'acme:mem data.read sensor tilt/main',
      'team:maintenance-team/grant:g1',
    ],
  ]
  test.for(cases)('%s', ([, facts, words, answer, about]) => {
    expect(told(ask(factsOf(facts), words, about === undefined ? {} : { about }))).toBe(answer)
  })
  test('S2.9 the four roles', () => {
    const roles = Object.keys(PRESET_PACKS.iotflows.roles).filter((name) => name.startsWith('Organization'))
    expect(roles.map((name) => name.replace('Organization ', ''))).toEqual([
      'Owner',
      'Administrator',
      'Member',
      'Observer',
    ])
  })
  test.for([
    ['maintenance-team', true],
    ['m2', true],
    ['Maintenance', false],
    ['-team', false],
    ['m', false],
    ['a'.repeat(40), false],
  ] as const)('S2.16 %s is a handle: %s', ([handle, ok]) => {
    expect(TeamHandle.safeParse(handle).success).toBe(ok)
  })
  test('S2.17 members of a team have a role in it', () => {
    expect(factsOf(crew).teams[0]?.members[0]?.role).toBe('lead')
  })
})
