import { expect, test } from 'vitest'
import { createProgress } from '../../../agent/cli/progress.ts'

function terminal() {
  const written: string[] = []
  return {
    written,
    out: () => {
      throw new Error('progress belongs to standard error')
    },
    err: (text: string) => void written.push(text),
  }
}
const ERASE = '\r\u001b[2K'

test('on a terminal a line is replaced in place, never wraps, and goes at the end', () => {
  const screen = terminal()
  const progress = createProgress(screen, { live: true, columns: 10 })
  progress.show('1 of 2, and much more')
  progress.show('2 of 2')
  progress.note('found one')
  progress.end()
  progress.end()
  expect(screen.written.join('')).toBe(`1 of 2, a${ERASE}2 of 2${ERASE}found one\n2 of 2${ERASE}`)
})

test('elsewhere only what is worth keeping is said', () => {
  const screen = terminal()
  const progress = createProgress(screen, { live: false, columns: 80 })
  progress.show('1 of 2')
  progress.note('found one')
  progress.end()
  expect(screen.written).toEqual(['found one\n'])
})
