import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bill, invoices, payments, receipt, setPrices, transfer } from '../../../agent/cli/bill.ts'
import { billingSite, BOOK } from '../../support/billing-site.ts'
import { DAM, JULY } from '../../support/billing-world.ts'
import { OPERATOR_TOKEN } from '../../support/directory-api.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

test('a bill, its views and exports, invoices, payments and receipts are told by commands', async () => {
  const { api, ana, at, call } = await billingSite()
  const folder = temporaryFolder()
  const keyFile = join(folder, 'key')
  writeFileSync(keyFile, ana)
  const member = { url: api.url, organisation: DAM, keyFile }
  const open = await bill({ ...member, period: JULY })
  expect(open.json).toMatchObject({ period: JULY, total: '41.31', state: 'open' })
  expect(open.text).toContain('total EUR 41.31')
  expect(open.text).toContain('1 gateway unreported since 2026-07-12T08:00:00Z')
  const byDay = await bill({ ...member, period: JULY, by: 'day' })
  expect(byDay.text).toMatch(/2026-07-02 +40 +32\.00 +10/)
  await expect(bill({ ...member, by: 'month' })).rejects.toMatchObject({ code: 'USAGE' })
  const to = join(folder, 'july.csv')
  await bill({ ...member, period: JULY, export: 'csv', to })
  expect(readFileSync(to, 'utf8').split('\r\n')).toHaveLength(52)

  at('2026-08-05T00:00:00Z')
  await call('billing.closeNow', OPERATOR_TOKEN, { org: DAM })
  expect((await invoices(member)).text).toMatch(/1 +2026-07 +EUR +41\.31 +0\.00 +2026-09-04/)
  const tokenFile = join(folder, 'token')
  writeFileSync(tokenFile, OPERATOR_TOKEN)
  const operator = { url: api.url, tokenFile }
  const came = await transfer(operator, ['1', '41.31', 'bank-1'])
  expect(came.text).toBe('invoice 1: EUR 41.31 received')
  const [payment] = (await payments(member)).json as { payment: string }[]
  const pdf = join(folder, 'receipt.pdf')
  await receipt({ ...member, to: pdf }, [payment?.payment ?? ''])
  expect(readFileSync(pdf, 'latin1')).toContain('EUR 41.31')

  const book = join(folder, 'prices.json')
  writeFileSync(book, JSON.stringify({ ...BOOK, version: '2026-08' }))
  const set = await setPrices(operator, [book])
  expect(set.text).toContain('prices 2026-08 are in force')
  expect(set.text).toContain('warning: card standard')
})
