import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FilterIndex } from '../../broker/delivery/filter-index.ts'
import { DEFAULT_LIMITS } from '../../broker/limits.ts'
import {
  clientIdIsSound,
  filterMatches,
  type TopicRules,
  topicIsReserved,
  topicIsSound,
} from '../../broker/topics.ts'

const level = fc.constantFrom('a', 'b', '', 'c', '$d')
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'))
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, open]) => [...levels, ...(open ? ['#'] : [])].join('/'))

describe('filters', () => {
  const cases: [filter: string, topic: string, matches: boolean][] = [
    ['a', 'a', true],
    ['a', 'b', false],
    ['#', 'a/b', true],
    ['#', '$SYS/a', false],
    ['+/a', '$SYS/a', false],
    ['$SYS/#', '$SYS/a', true],
    ['a/#', 'a', true],
    ['a/#', 'a/b/c', true],
    ['a/+', 'a', false],
    ['a/+', 'a/', true],
    ['+/+', '/a', true],
    ['+', '/a', false],
    ['a/+/c', 'a/b/c', true],
  ]
  test.for(cases)('%s and %s: %s', ([wanted, given, matches]) => {
    expect(filterMatches(wanted, given)).toBe(matches)
  })

  test('the tree finds exactly the clients that comparing each filter finds', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(filter, fc.integer({ min: 1, max: 2 }), fc.boolean()), { maxLength: 12 }),
        topic,
        (filters, published) => {
          const tree = new FilterIndex<string>()
          const expected: string[] = []
          for (const [at, [wanted, qos, removed]] of filters.entries()) {
            tree.add(wanted, `c${at}`, qos as 1 | 2)
            // What was found is remembered: it must not outlive a change.
            tree.match(published)
            if (removed) tree.remove(wanted, `c${at}`)
            else if (filterMatches(wanted, published)) expected.push(`c${at}`)
          }
          expect(
            tree
              .match(published)
              .map(({ subscriber }) => subscriber)
              .sort(),
          ).toEqual(expected.sort())
        },
      ),
    )
  })

  test('a client with several matching filters is found once, with the highest quality of service', () => {
    const tree = new FilterIndex<string>()
    tree.add('a/#', 'c', 1)
    tree.add('a/+', 'c', 2)
    tree.add('a/b', 'c', 0)
    expect(tree.match('a/b')).toEqual([{ subscriber: 'c', qos: 2 }])
  })
})

const rules = (dollarTopics: TopicRules['dollarTopics']): TopicRules => ({ ...DEFAULT_LIMITS, dollarTopics })

// That it is text without control characters, and that wildcards stand where they may, is the reader's to check.
describe('names from outside', () => {
  test.for(['$SYS/a', 'x'.repeat(600), 'a/'.repeat(20)])('topic %j is refused', (text) => {
    expect(topicIsSound(text, rules('refused'))).toBe(false)
  })
  test.for([
    ['a/$SYS', [false, false]],
    ['$d/a', [true, false]],
    ['$SYS', [true, true]],
    ['$SYS/#', [true, true]],
    ['$SYSTEM/a', [true, false]],
    ['$share/g/a', [true, true]],
    ['$headgate/other', [true, false]],
  ] as const)('%s is reserved where $ is refused and where it is ordinary: %s', ([text, reserved]) => {
    expect([topicIsReserved(text, rules('refused')), topicIsReserved(text, rules('ordinary'))]).toEqual(
      reserved,
    )
    expect(topicIsSound(text, rules('refused'))).toBe(!reserved[0])
    expect(topicIsSound(text, rules('ordinary'))).toBe(!reserved[1])
  })
  test('client ids have a length', () => {
    expect(['', 'x', 'x'.repeat(128), 'x'.repeat(129)].map((id) => clientIdIsSound(id, 128))).toEqual([
      false,
      true,
      true,
      false,
    ])
  })
})
