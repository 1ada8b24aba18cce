import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { amountText, byDay, minorText, parsePriceBook } from '../../../../cloud-sync/cloud/billing/index.ts'
import { active, AUGUST, closeAll, JULY, sensors, sent, statementOf } from '../../../support/billing-world.ts'

const document = readFileSync(resolve(import.meta.dirname, '../../../../docs/billing.md'), 'utf8')
const json = /```json\n(.*?)```/s.exec(document)?.[1] ?? ''
const prices = parsePriceBook(JSON.parse(json))
const early = [...sensors('2026-07-01', 9), ...sensors('2026-07-02', 40), sent('2026-07-02', 3_500_000n)]

test('the worked example of docs/billing.md is what billing computes from its own price book', () => {
  const statement = statementOf({ facts: early, prices })
  const cents = (minor: bigint): string => minorText(minor, 2)
  const expected = statement.lines.map(({ service, exact, minor }) => [
    service,
    amountText(exact),
    cents(minor),
  ])
  expected.push(['Total', amountText(statement.exact), cents(statement.total)])
  const rows = document.split('\n').flatMap((line) => {
    const [, name = '', , exact = '', minor = ''] = line
      .split('|')
      .map((cell) => cell.replaceAll('**', '').trim())
    return /^[\d.]+$/.test(exact) ? [[name.split(',')[0], exact, minor]] : []
  })
  expect(rows).toEqual(expected)
})

test('so are its outlook to the next discount and its break-even number', () => {
  const second = byDay(statementOf({ facts: early, prices }), prices)[1]?.outlook
  const [, missing, dearer, more] =
    /(\d+) sensors were missing.*?(\d+) sensors or more cost more than (\d+)/s.exec(document) ?? []
  expect([missing, dearer].map(Number)).toEqual([Number(second?.toNext), Number(second?.cheaperFrom)])
  expect(Number(more)).toBe(50)
  expect(document).toContain(
    `${minorText((second?.savingAtNext ?? 0n) / 10n ** 10n, 2)} cheaper with 50 sensors`,
  )
})

test('so is its correction of a closed month', () => {
  const books = closeAll(
    [
      [JULY, early],
      [AUGUST, [...early, active('2026-07-01', 'late')]],
    ],
    prices,
  )
  const adjustment = books.statements[1]?.lines.find(({ kind }) => kind === 'adjustment')
  expect(document).toContain(`so **${minorText(adjustment?.minor ?? 0n, 2)}**`)
})
