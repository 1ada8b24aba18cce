import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type DayFact, periodOf } from '../../cloud-sync/cloud/billing/index.ts'
import {
  type Invoicing,
  invoiceOnly,
  startInvoicing,
  type UsageEvidence,
} from '../../cloud-sync/cloud/invoicing/index.ts'
import { billingDirectory } from '../../cloud-sync/cloud/invoicing/directory.ts'
import { usageLedger } from '../../cloud-sync/cloud/invoicing/ledger.ts'
import type { InvoicingWorld, UsageLedger } from '../../cloud-sync/cloud/invoicing/ports.ts'
import {
  type BillingStore,
  type CloudDatabase,
  openBillingStore,
} from '../../cloud-sync/cloud/storage/index.ts'
import type { TestDirectory } from './directory-world.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { silent } from './test-ledger.ts'

export interface TestDesk extends Invoicing {
  readonly store: BillingStore
  readonly world: InvoicingWorld
}

const NO_USAGE: UsageLedger = {
  cutOff: () => Promise.resolve(0),
  factsOf: () => Promise.resolve([]),
  monthsWithNews: () => Promise.resolve([]),
  reportedUntil: () => Promise.resolve(new Map()),
  recordsOf: () => Promise.resolve([]),
}

/** A ledger that says what was posted, one posting after the other. */
export const postedUsage = (posted: readonly (readonly DayFact[])[]): UsageLedger => ({
  ...NO_USAGE,
  cutOff: () => Promise.resolve(posted.length),
  factsOf: (org, { from, to, postedBefore }) =>
    Promise.resolve(
      posted
        .slice(0, postedBefore)
        .flat()
        .filter((fact) => fact.org === org && fact.day >= from && fact.day <= to),
    ),
  monthsWithNews: (org, { from, before }) =>
    Promise.resolve([
      ...new Set(
        posted
          .slice(from, before)
          .flat()
          .flatMap((fact) => (fact.org === org ? [periodOf(fact.day)] : [])),
      ),
    ]),
})

/** There is no ledger to prove anything from. */
export const noEvidence: UsageEvidence = async function* () {
  yield* await Promise.resolve(['no evidence\n'])
}

/** Billing over a directory, with a file of its own, and a ledger where there is one. */
export async function testDesk(
  directory: Pick<TestDirectory, 'store' | 'gate'>,
  { db, ...more }: Partial<InvoicingWorld> & { readonly db?: CloudDatabase } = {},
): Promise<TestDesk> {
  const store = await openBillingStore({ dialect: 'sqlite', path: join(temporaryFolder(), 'billing.db') })
  onTestFinished(() => store.close())
  const people = billingDirectory(directory.store.read)
  let ids = 0
  const world: InvoicingWorld = {
    ...{ store, directory: people, provider: invoiceOnly, now: Date.now },
    issuer: { name: 'Headgate', lines: ['1 River Road'] },
    newId: () => `bill-${(ids += 1)}`,
    evidence: noEvidence,
    usage: db === undefined ? NO_USAGE : usageLedger({ db, directory: people, now: Date.now }),
    ...more,
  }
  const invoicing = startInvoicing({
    world,
    gate: directory.gate,
    mono: () => performance.now(),
    log: silent,
  })
  onTestFinished(() => invoicing.stop())
  return { ...invoicing, store, world }
}
