import { expect, test } from 'vitest'
import { compilePolicy, why, whoCan } from '../../../cloud-sync/access/index.ts'
import type { PolicyFacts } from '../../../cloud-sync/contract/index.ts'
import { CLOUD, factsOf, grant, person, resourceOf } from '../../support/access-cast.ts'

const facts = factsOf({
  members: [person('acme:tom', 'member')],
  teams: [{ org: 'acme', handle: 'crew', name: 'crew', members: [{ name: 'tom', incarnation: 1 }] }],
  grants: [
    grant('direct', 'device tilt', 'acme:tom', 'viewer'),
    grant('byteam', 'gateway', 'acme:@crew', 'viewer'),
    grant('space', 'workspace dam', 'acme:tom', 'editor', { expiresAt: 10 }),
  ],
})
const question = { action: 'data.read', resource: resourceOf('device tilt'), when: CLOUD } as const
const pathsOf = (of: PolicyFacts): readonly string[] =>
  whoCan(question, compilePolicy(of)).find(({ name }) => name === 'tom')?.via ?? []

test('one path taken away leaves the others, and the last one nothing', () => {
  expect(pathsOf(facts)).toEqual(['grant:direct', 'team:crew/grant:byteam'])
  const less = { ...facts, grants: facts.grants.filter(({ id }) => id !== 'direct') }
  expect(pathsOf(less)).toEqual(['team:crew/grant:byteam'])
  expect(pathsOf({ ...less, teams: [] })).toEqual([])
})

test('why tells each path with what stands against it', () => {
  const principal = { org: facts.members[0]?.org, name: 'tom' } as never
  const { decision, paths } = why({ principal, ...question }, compilePolicy(facts))
  expect(decision.allowed).toBe(true)
  expect(paths).toEqual(
    expect.arrayContaining([
      { via: 'grant:direct', against: null },
      { via: 'grant:space', against: 'expired' },
      { via: 'role:member', against: 'role' },
    ]),
  )
})
