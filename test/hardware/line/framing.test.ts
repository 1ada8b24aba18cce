import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AnswerFramer } from '../../../hardware/line/framing.ts'
import type { Match } from '../../../hardware/protocol.ts'
import { isWhole, matchRead, readAnswer, readRequest, withCrc } from '../../support/rtu.ts'

const REQUEST = readRequest(7, 100, 2)
const ANSWER = readAnswer(7, [1, 2])
const WRITE = withCrc(7, 6, 0, 1, 0, 9)

/** Says only whether an answer begins right here, so that resync is the framer's work. */
const atStart = (rx: Uint8Array): Match => {
  if (rx[0] !== 7 || (rx.length > 1 && rx[1] !== 3)) return { reject: 'noise' }
  if (rx.length < ANSWER.length) return { need: ANSWER.length - rx.length }
  return isWhole(rx.subarray(0, ANSWER.length)) ? { frame: [0, ANSWER.length] } : { reject: 'crc' }
}
const matchWrite = (rx: Uint8Array): Match => {
  for (let at = 0; at + 8 <= rx.length; at += 1) {
    if (WRITE.every((byte, index) => rx[at + index] === byte)) return { frame: [at, at + 8] }
  }
  return { need: 1 }
}

const damaged = ANSWER.with(4, 99)
const cases: [string, number[][], { found: boolean; stray: number; crc?: boolean }][] = [
  ['an answer alone', [[...ANSWER]], { found: true, stray: 0, crc: false }],
  ['an answer byte by byte', [...ANSWER].map((byte) => [byte]), { found: true, stray: 0 }],
  ['garbage before', [[0, 0xff, 0x55, ...ANSWER]], { found: true, stray: 3 }],
  ['garbage behind', [[...ANSWER, 0, 1]], { found: true, stray: 2 }],
  ['a header in noise', [[7, 4, 200], [...ANSWER]], { found: true, stray: 3 }],
  ['a whole header in noise', [[7, 3, 4, 0], [...ANSWER]], { found: true, stray: 4 }],
  ['the unit number in noise, twice', [[7, 7, ...ANSWER]], { found: true, stray: 2 }],
  ['a damaged answer', [[...damaged]], { found: false, stray: damaged.length, crc: true }],
  [
    'a damaged answer and the right one',
    [[...damaged], [...ANSWER]],
    { found: true, stray: damaged.length, crc: true },
  ],
  ['half an answer', [[...ANSWER.subarray(0, 5)]], { found: false, stray: 5, crc: false }],
  ['nothing', [], { found: false, stray: 0 }],
]

describe.each([
  ['a matcher that scans', matchRead(7, 2)],
  ['a matcher of one place', atStart],
])('with %s', (_, match) => {
  test.for(cases)('%s', ([, pieces, { found, stray, crc }]) => {
    const framer = new AnswerFramer(REQUEST, match, { echoes: false })
    const frames = pieces
      .map((piece) => framer.push(Uint8Array.from(piece)))
      .filter((frame) => frame !== null)
    framer.end()
    expect(frames).toEqual(found ? [ANSWER] : [])
    expect(framer.strayBytes).toBe(stray)
    if (crc !== undefined) expect(framer.sawCrc).toBe(crc)
  })
})

describe('the echo of a two-wire adapter', () => {
  test('is learnt from a read that is answered', () => {
    const echo = { echoes: false }
    const framer = new AnswerFramer(REQUEST, matchRead(7, 2), echo)
    expect(framer.push(REQUEST)).toBeNull()
    expect(framer.push(ANSWER)).toEqual(ANSWER)
    expect([echo.echoes, framer.strayBytes]).toEqual([true, 0])
  })

  test('is learnt from a read that nobody answers', () => {
    const echo = { echoes: false }
    const framer = new AnswerFramer(REQUEST, matchRead(7, 2), echo)
    framer.push(REQUEST)
    framer.end()
    expect([echo.echoes, framer.strayBytes]).toEqual([true, 0])
  })

  test('is not taken for the answer of a write, once learnt', () => {
    const framer = new AnswerFramer(WRITE, matchWrite, { echoes: true })
    for (const byte of WRITE) expect(framer.push(Uint8Array.of(byte))).toBeNull()
    expect(framer.push(WRITE)).toEqual(WRITE)
  })

  test('may be damaged without hiding the answer', () => {
    const framer = new AnswerFramer(REQUEST, matchRead(7, 2), { echoes: true })
    expect(framer.push(REQUEST.with(3, 0xee))).toBeNull()
    expect(framer.push(ANSWER)).toEqual(ANSWER)
  })

  test('is forgotten when answers come without it', () => {
    const echo = { echoes: true }
    expect(new AnswerFramer(REQUEST, matchRead(7, 2), echo).push(ANSWER)).toEqual(ANSWER)
    expect(echo.echoes).toBe(false)
    expect(new AnswerFramer(WRITE, matchWrite, echo).push(WRITE)).toEqual(WRITE)
  })
})

test('an answer is found in whatever pieces it comes, behind whatever noise', () => {
  const noise = fc.uint8Array({ maxLength: 20 }).filter((bytes) => !hasOwnAnswer(bytes))
  const cuts = fc.array(fc.nat(40), { maxLength: 6 })
  fc.assert(
    fc.property(noise, cuts, fc.boolean(), (before, places, echoes) => {
      const all = [...(echoes ? REQUEST : []), ...before, ...ANSWER]
      const ends = [...new Set([...places.filter((place) => place < all.length), all.length])].sort(
        (a, b) => a - b,
      )
      const framer = new AnswerFramer(REQUEST, matchRead(7, 2), { echoes })
      const found = ends.map((end, index) =>
        framer.push(Uint8Array.from(all.slice(ends[index - 1] ?? 0, end))),
      )
      expect(found.at(-1)).toEqual(ANSWER)
      expect(framer.strayBytes).toBe(before.length)
    }),
  )
})

/** Noise that would itself be a whole answer, or begin one together with ours, is no noise. */
const hasOwnAnswer = (noise: Uint8Array): boolean => {
  const match = matchRead(7, 2)(Uint8Array.from([...noise, ...ANSWER]))
  return !('frame' in match) || match.frame[0] !== noise.length
}

test('a talker that never ends is given up from its oldest byte on', () => {
  let longest = 0
  const framer = new AnswerFramer(
    REQUEST,
    (rx) => {
      longest = Math.max(longest, rx.length)
      return { need: 1 }
    },
    { echoes: false },
  )
  for (let chunk = 0; chunk < 1000; chunk += 1) framer.push(new Uint8Array(100).fill(0xaa))
  expect(framer.strayBytes).toBe(100_000)
  expect(longest).toBeLessThanOrEqual(2048 + 100)
})
