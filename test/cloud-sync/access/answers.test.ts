import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Answers } from '../../../cloud-sync/access/answers.ts'
import { compilePolicy, decide, type Decision, type Question } from '../../../cloud-sync/access/index.ts'
import { PolicyFacts } from '../../../cloud-sync/contract/index.ts'

const decisions = fc.oneof(
  fc
    .constantFrom('role' as const, 'lapsed' as const)
    .map((because): Decision => ({ allowed: false, because })),
  fc
    .array(fc.constantFrom('role:admin', 'grant:g1', 'team:a/grant:g1'), { minLength: 1 })
    .map((via): Decision => ({ allowed: true, via })),
)
/** Neighbours, numbers that fall on the same slot, and the largest that are remembered. */
const questions = fc.oneof(
  fc.nat(3_000),
  fc.nat(50).map((n) => n * 2 ** 24),
  fc.nat(50).map((n) => 2 ** 32 - 2 - n),
)

it('remembers what a map would, and nothing else', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(questions, decisions), { maxLength: 3_000 }), (said) => {
      const [answers, map] = [new Answers(), new Map<number, Decision>()]
      for (const [question, decision] of said) {
        answers.set(question, decision)
        map.set(question, decision)
      }
      for (const [question, decision] of map) {
        expect(answers.get(question)).toStrictEqual(decision)
        const next = question + 1
        expect(answers.get(next)).toStrictEqual(map.get(next))
      }
    }),
    { numRuns: 30 },
  )
})

it('forgets all at once, and when there are too many', () => {
  const answers = new Answers()
  const decision: Decision = { allowed: true, via: ['host'] }
  for (let question = 0; question < 250_000; question += 1) answers.set(question * 7, decision)
  expect(answers.get(0)).toStrictEqual(decision)
  answers.set(5, decision)
  expect(answers.get(0)).toBeUndefined()
  expect(answers.get(5)).toStrictEqual(decision)
  answers.clear()
  expect(answers.get(5)).toBeUndefined()
})

it('takes a number too large for its table for unknown', () => {
  const answers = new Answers()
  answers.set(2 ** 32 - 1, { allowed: true, via: ['host'] })
  answers.set(2 ** 32 + 5, { allowed: true, via: ['host'] })
  for (const question of [2 ** 32 - 1, 2 ** 32 + 5, 5, 4, 0]) expect(answers.get(question)).toBeUndefined()
})

it('keeps the sensors of a device apart, however many are named', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
  const policy = compilePolicy(
    PolicyFacts.parse({
      owner: { org: 'acme', ownerEpoch: 1 },
      organisations: [{ id: 'acme', name: 'acme' }],
      members: names.map((name) => ({ org: 'acme', name: `m-${name}`, role: 'member', incarnation: 1 })),
      devices: [{ id: 'd', org: 'acme', ownerEpoch: 1 }],
      grants: names.map((name) => ({
        id: `g-${name}`,
        on: { kind: 'sensor', device: 'd', sensor: name },
        to: { kind: 'member', org: 'acme', name: `m-${name}`, incarnation: 1 },
        level: 'viewer',
        ownerEpoch: 1,
      })),
    }),
  )
  const may = (name: string, sensor: string): boolean =>
    decide(
      {
        principal: { org: 'acme', name: `m-${name}` },
        action: 'data.read',
        resource: { kind: 'sensor', device: 'd', sensor },
        when: { place: 'cloud', at: 1 },
      } as Question,
      policy,
    ).allowed
  // Twice: at first it is found out, then it is remembered.
  for (let time = 0; time < 2; time += 1) {
    for (const name of names) {
      expect([...names, 'unnamed'].filter((sensor) => may(name, sensor))).toEqual([name])
    }
  }
})
