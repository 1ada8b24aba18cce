import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { DayFact } from '../../../../cloud-sync/cloud/billing/index.ts'
import { addPriceBook } from '../../../../cloud-sync/cloud/invoicing/prices.ts'
import { bookedStatement } from '../../../../cloud-sync/cloud/invoicing/statements.ts'
import type { OrgId } from '../../../../cloud-sync/contract/index.ts'
import { postedUsage, testDesk } from '../../../support/billing-desk.ts'
import { active, AUGUST, cardOf, JULY, sensors } from '../../../support/billing-world.ts'
import { done, openTestDirectory } from '../../../support/directory-world.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'

const ACME = 'acme' as OrgId
const at = (moment: string): number => Date.parse(`${moment}Z`)

test('an organisation that is deleted gets its last bill, and what it used is corrected when it comes later', async () => {
  const directory = await openTestDirectory({
    dialect: 'sqlite',
    path: join(temporaryFolder(), 'directory.db'),
  })
  onTestFinished(() => directory.close())
  await directory.person('ana', ACME)
  const posted: DayFact[][] = [sensors('2026-07-01', 9, { org: ACME })]
  const desk = await testDesk(directory, { usage: postedUsage(posted) })
  const { store } = desk
  const data = {
    version: '1',
    cards: [cardOf({ fees: [{ id: 'platform', perMonth: '31' }] })],
    assignments: [{ org: ACME, card: 'standard', from: '2026-07-01' }],
  }
  await store.transaction((tx) => addPriceBook(tx, { data, at: 1, by: 'test' }))
  directory.pass(at('2026-07-15T12:00') - directory.now())
  await done(
    directory.write.organisations.remove(directory.as('ana', ACME), { org: ACME, password: 'ana-password' }),
  )

  await desk.turn(at('2026-08-04T00:00'))
  // 9 sensors at 1.00, and the fee of the fifteen days that it was there.
  expect(await bookedStatement(store.read, ACME, JULY)).toMatchObject({ total: 2_400n })
  expect(await store.read.find('invoice', {})).toMatchObject([
    { org: ACME, period: JULY, total_minor: '2400' },
  ])

  // A gateway held back one more sensor of July, and a guest's device went on for a day.
  posted.push([active('2026-07-02', 'late', { org: ACME }), active('2026-08-03', 'guest', { org: ACME })])
  await desk.turn(at('2026-09-04T00:00'))
  expect(await bookedStatement(store.read, ACME, AUGUST)).toMatchObject({
    total: 200n,
    lines: [
      { kind: 'adjustment', period: JULY, minor: 100n },
      { kind: 'usage', period: AUGUST, minor: 100n },
    ],
  })
  await desk.turn(at('2026-10-04T00:00'))
  expect(await store.read.find('invoice', {})).toHaveLength(2)
})
