import { expect, test } from 'vitest'
import { TopicNames } from '../../../broker/wire/topic-names.ts'
import { seeded } from '../../support/delivery-world.ts'

const NAMES = 20_000

test('many more names than are kept are each read as they are, again and again', () => {
  const names = new TopicNames()
  const random = seeded(3)
  const topics = Array.from({ length: NAMES }, () =>
    Math.floor(random() * 2 ** 40)
      .toString(36)
      .repeat(1 + Math.floor(random() * 20)),
  )
  for (const topic of [...topics, ...topics, ...topics.slice(0, 500), ...topics.slice(0, 500)]) {
    const bytes = Buffer.from(`/${topic}/`)
    expect(names.read(bytes, 1, bytes.length - 1)).toBe(topic)
  }
})

test('names that fall on the same slot do not take each other’s place in a packet', () => {
  const names = new TopicNames()
  // The sum that places them is the same: 31 times the first character plus the second.
  for (const topic of ['Aa', 'BB', 'Aa', 'BB', 'AaAa', 'BBBB', 'AaBB', 'AaAa']) {
    expect(names.read(Buffer.from(topic), 0, topic.length)).toBe(topic)
  }
})

test('what is refused once is refused again, also beside a name of the same length', () => {
  const names = new TopicNames()
  for (const bad of ['a/+', 'a#', '', 'a\0b', 'a\u0085']) {
    const bytes = Buffer.from(bad)
    for (let n = 0; n < 3; n += 1) expect(() => names.read(bytes, 0, bytes.length)).toThrow()
    const fine = Buffer.alloc(bytes.length + 1, 'x')
    expect(names.read(fine, 0, fine.length)).toBe('x'.repeat(fine.length))
  }
})

test('bytes outside of ASCII never match a name that was kept for others', () => {
  const names = new TopicNames()
  const latin = Buffer.from([0xc3, 0xa4]) // ä, and as Latin-1 two characters
  expect(names.read(latin, 0, 2)).toBe('ä')
  expect(names.read(latin, 0, 2)).toBe('ä')
  expect(() => names.read(Buffer.from([0xe4, 0x62]), 0, 2)).toThrow('utf8')
})
