import fc from 'fast-check'
import { expect, test } from 'vitest'
import { csvLine, parseCsv } from '../../../../../cloud-sync/cloud/billing/exports/csv.ts'

test.for([
  [['a', 'b'], 'a,b\r\n'],
  [['a,b', 'say "hi"', 'two\nlines'], '"a,b","say ""hi""","two\nlines"\r\n'],
  [[null, '', null], ',"",\r\n'],
] as const)('%j is written as RFC 4180 has it', ([fields, text]) => {
  expect(csvLine(fields)).toBe(text)
})

test.for(['a"b,c\r\n', '"open', '"a"b\r\n'])('%j is no CSV', (text) => {
  expect(parseCsv(text)).toBeUndefined()
})

test('the last line needs no end, and one field more than a comma is there', () => {
  expect(parseCsv('a,\r\nb,c')).toEqual([
    ['a', null],
    ['b', 'c'],
  ])
  expect(parseCsv('a,')).toEqual([['a', null]])
})

test('whatever is in the fields comes back', () => {
  const field = fc.oneof(
    fc.constant(null),
    fc.constant(''),
    fc.string(),
    fc.constantFrom('"', ',', '\r\n', '=1+1'),
  )
  fc.assert(
    fc.property(fc.array(fc.array(field, { minLength: 1, maxLength: 5 }), { maxLength: 8 }), (rows) => {
      expect(parseCsv(rows.map(csvLine).join(''))).toEqual(rows)
    }),
  )
})
