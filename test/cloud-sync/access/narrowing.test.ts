import { expect, test } from 'vitest'
import { Proposal } from '../../../cloud-sync/contract/index.ts'
import { resolved } from '../../support/access-world.ts'

const by = (name: string) => ({ org: 'acme', name, incarnation: 1 })
const role = (given: string) => ({ kind: 'member.set', org: 'acme', name: 'a3', role: given, incarnation: 1 })
const share = (id: string, author: string, level: string) => ({
  kind: 'grant.add',
  grant: {
    id,
    on: { kind: 'device', device: 'crack' },
    to: { kind: 'member', ...by('a3') },
    level,
    ownerEpoch: 1,
    by: by(author),
  },
})
/** In the cloud one after the other; the last at a gateway that has seen none of it: it removes a1. */
const history = (...inCloud: { author: string; change: object }[]): Proposal[] =>
  [
    ...inCloud.map(({ author, change }, at) => ({
      dot: { replica: 'cloud', seq: at + 1 },
      seen: { cloud: at },
      author: by(author),
      change,
    })),
    {
      dot: { replica: 'gw-1', seq: 1 },
      seen: {},
      author: by('a0'),
      change: { kind: 'member.remove', org: 'acme', name: 'a1' },
    },
  ].map((one) => Proposal.parse({ ...one, at: 1 }))

test('S0.10 who is lowered from a role that proves void has no more than without either', () => {
  const { facts, outcomes } = resolved(
    history({ author: 'a1', change: role('editor') }, { author: 'a0', change: role('viewer') }),
  )
  expect(outcomes.get('cloud:1')).toMatchObject({ state: 'void' })
  expect(outcomes.get('cloud:2')).toMatchObject({ state: 'accepted' })
  expect(facts.members.find(({ name }) => name === 'a3')?.role).toBe('member')
})

test('to lower what proves void gives nothing', () => {
  const { facts, outcomes } = resolved(
    history(
      { author: 'a1', change: share('g1', 'a1', 'editor') },
      { author: 'a0', change: share('g2', 'a0', 'viewer') },
    ),
  )
  expect(outcomes.get('cloud:1')).toMatchObject({ state: 'void' })
  expect(facts.grants.map(({ id }) => id).sort()).toEqual(['g-first', 'g-legacy'])
})

test('to lower what stands holds', () => {
  const { facts } = resolved(
    history(
      { author: 'a0', change: share('g1', 'a0', 'editor') },
      { author: 'a0', change: share('g2', 'a0', 'viewer') },
    ),
  )
  expect(facts.grants.find(({ id }) => id === 'g2')?.level).toBe('viewer')
})

/** Shares of crack in the cloud by a0, then one for viewing until 1000 with a3 at a gateway that has seen them. */
const onSite = (
  author: string,
  ...inCloud: readonly (readonly [to: string, level: string, until?: number])[]
) => {
  const given = inCloud.map(([to, level, expiresAt = null], at) => {
    const change = share(`g${at}`, 'a0', level)
    return { ...change, grant: { ...change.grant, to: { kind: 'member', ...by(to) }, expiresAt } }
  })
  const here = share('here', author, 'viewer')
  const changes = [
    ...given.map((change, at) => ({
      dot: { replica: 'cloud', seq: at + 1 },
      seen: { cloud: at },
      author: by('a0'),
      change,
    })),
    {
      dot: { replica: 'gw-1', seq: 1 },
      seen: { cloud: given.length },
      author: by(author),
      change: { ...here, grant: { ...here.grant, expiresAt: 1_000 } },
    },
  ]
  const { facts, outcomes } = resolved(changes.map((one) => Proposal.parse({ ...one, at: 1 })))
  const held = facts.grants.filter(({ to }) => to.kind === 'member' && to.name === 'a3')
  return [outcomes.get('gw-1:1'), held.map(({ level, expiresAt }) => [level, expiresAt])]
}

const exists = { state: 'rejected', because: 'exists' }
test.for([
  ['permanent share', onSite('a0', ['a3', 'viewer']), exists, ['viewer', null]],
  ['longer share', onSite('a0', ['a3', 'viewer', 2_000]), exists, ['viewer', 2_000]],
  [
    'shorter share, which is prolonged',
    onSite('a0', ['a3', 'viewer', 500]),
    { state: 'accepted' },
    ['viewer', 1_000],
  ],
  [
    'higher share that its author may not end',
    onSite('a2', ['a3', 'owner'], ['a2', 'editor']),
    { state: 'rejected', because: 'rank' },
    ['owner', null],
  ],
  [
    'higher share that its author may end',
    onSite('a0', ['a3', 'owner']),
    { state: 'accepted' },
    ['viewer', 1_000],
  ],
] as const)('a share on site and the %s that was there', ([, [outcome, held], expected, stays]) => {
  expect(outcome).toEqual(expected)
  expect(held).toEqual([stays])
})
