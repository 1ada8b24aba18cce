import { expect, test } from 'vitest'
import { judgeArrival, type PolicyMark, VERSION_JUMP_MAX } from '../../../agent/storage/policy/arrival.ts'
import type { Hash } from '../../../cloud-sync/contract/index.ts'

const hash = (digit: string): Hash => digit.repeat(64) as Hash
const mark: PolicyMark = { generation: 2, version: 1000, hash: hash('a'), ownerEpoch: 3 }
const inForce = { generation: 2, version: 1000 }

const cases: [string, Partial<PolicyMark>, string][] = [
  ['the next version', { version: 1001, hash: hash('b') }, 'news'],
  ['the one in force', {}, 'same'],
  ['the one before', { version: 999, hash: hash('b') }, 'older'],
  ['the version in force with another text', { hash: hash('b') }, 'altered'],
  ['a year of two changes a second', { version: 1000 + 2 * 365 * 86_400, hash: hash('b') }, 'news'],
  ['the furthest jump', { version: 1000 + VERSION_JUMP_MAX, hash: hash('b') }, 'news'],
  ['one further', { version: 1001 + VERSION_JUMP_MAX, hash: hash('b') }, 'jump'],
  ['2^50 versions on', { version: 2 ** 50, hash: hash('b') }, 'jump'],
  ['an earlier generation with a higher version', { generation: 1, version: 5000 }, 'older'],
  ['a later generation with a lower version', { generation: 3, version: 7, hash: hash('b') }, 'news'],
  ['a later generation 2^50 versions on', { generation: 3, version: 2 ** 50 }, 'jump'],
  ['the last owner again', { version: 1001, ownerEpoch: 2 }, 'older-epoch'],
  ['the last owner in a later generation', { generation: 3, version: 7, ownerEpoch: 2 }, 'news'],
  ['the next owner', { version: 1001, ownerEpoch: 4 }, 'news'],
]
test.for(cases)('%s', ([, change, expected]) => {
  expect(judgeArrival({ ...mark, ...change }, { mark, inForce })).toBe(expected)
})

test('where nothing is in force because the database was set back, the newest is news again and others are not', () => {
  const setBack = { mark, inForce: null }
  expect(judgeArrival(mark, setBack)).toBe('news')
  expect(judgeArrival({ ...mark, hash: hash('b') }, setBack)).toBe('altered')
  expect(judgeArrival({ ...mark, version: 999 }, setBack)).toBe('older')
})

test('the first of all may have any version that can be true', () => {
  const nothing = { mark: null, inForce: null }
  expect(judgeArrival({ ...mark, version: VERSION_JUMP_MAX }, nothing)).toBe('news')
  expect(judgeArrival({ ...mark, version: 2 ** 50 }, nothing)).toBe('jump')
})
