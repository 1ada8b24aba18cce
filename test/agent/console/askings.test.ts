import { expect, test } from 'vitest'
import { Askings } from '../../../agent/console/askings.ts'

test('who floods is turned away, and nobody else, from however many addresses it comes', () => {
  let now = 0
  const askings = new Askings({ each: 60, all: 300, monoMs: () => now })
  const taken = (address: string, count: number): number =>
    Array.from({ length: count }, () => askings.take(address)).filter(Boolean).length
  expect(taken('192.0.2.1', 100)).toBe(60)
  expect(taken('192.0.2.2', 10)).toBe(10)
  for (let address = 3; address < 40; address += 1) taken(`192.0.2.${address}`, 100)
  expect(taken('192.0.2.50', 100)).toBe(5)
  now += 60_000
  expect(taken('192.0.2.1', 100)).toBe(60)
  for (let address = 0; address < 2_000; address += 1) taken(`2001:db8::${address}`, 1)
  expect(taken('2001:db8::ffff', 10)).toBe(0)
})
