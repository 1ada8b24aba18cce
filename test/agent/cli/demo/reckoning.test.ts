import { expect, test } from 'vitest'
import { type Answered, reckon, WINDOW_MS } from '../../../../agent/cli/demo/reckoning.ts'

const answers: Answered[] = [1, 2, 3].map((counter) => ({ device: 'a', counter, at: counter * 10_000 }))
const all = answers.map(({ device, counter }) => ({ device, counter }))
const clean = { answered: 3, inWindow: 0, lost: 0, doubled: 0, invented: 0, examples: [] }

test('what is everywhere once is neither lost nor doubled', () => {
  expect(reckon({ answered: answers, stored: all, cloud: all, outages: [] })).toEqual(clean)
})

test('what is missing in the store is lost', () => {
  expect(reckon({ answered: answers, stored: all.slice(1), cloud: all.slice(1), outages: [] }).lost).toBe(1)
})

test('what is missing only in the cloud is lost, also in an outage', () => {
  const outages = [{ from: 10_000, to: 10_000 }]
  expect(reckon({ answered: answers, stored: all, cloud: all.slice(1), outages }).lost).toBe(1)
})

test.for([
  ['in the outage', 10_000, 1, 0],
  ['at the edge of the window before it', 10_000 + WINDOW_MS, 1, 0],
  ['before the window', 10_001 + WINDOW_MS, 0, 1],
] as const)('an answer %s may be missing', ([, from, inWindow, lost]) => {
  const outages = [{ from, to: from + 100 }]
  const found = reckon({ answered: answers, stored: all.slice(1), cloud: all.slice(1), outages })
  expect({ inWindow: found.inWindow, lost: found.lost }).toEqual({ inWindow, lost })
})

test('what is twice in the store or in the cloud is doubled, also in an outage', () => {
  const twice = [...all, ...all.slice(0, 1)]
  const outages = [{ from: 0, to: 100_000 }]
  expect(reckon({ answered: answers, stored: twice, cloud: all, outages }).doubled).toBe(1)
  expect(reckon({ answered: answers, stored: all, cloud: twice, outages }).doubled).toBe(1)
})

test('what no device answered is invented', () => {
  const more = [...all, { device: 'a', counter: 9 }]
  expect(reckon({ answered: answers, stored: more, cloud: more, outages: [] }).invented).toBe(1)
})
