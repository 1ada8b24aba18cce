import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RawBuilder } from 'kysely'
import { afterAll, beforeAll, describe, type TestAPI, test } from 'vitest'
import { type DayFact, periodOf } from '../../cloud-sync/cloud/billing/index.ts'
import { closeDue, type Closed } from '../../cloud-sync/cloud/invoicing/closing.ts'
import { invoiceOnly } from '../../cloud-sync/cloud/invoicing/payments/invoice-only.ts'
import type { BilledOrganisation, InvoicingWorld } from '../../cloud-sync/cloud/invoicing/ports.ts'
import { addPriceBook, PriceBooks } from '../../cloud-sync/cloud/invoicing/prices.ts'
import {
  BILLING_TABLES,
  type BillingStore,
  type DatabaseTarget,
  openBillingStore,
} from '../../cloud-sync/cloud/storage/index.ts'
import { BILLING_MIGRATIONS } from '../../cloud-sync/cloud/storage/billing/migrations.ts'
import { openRelational } from '../../cloud-sync/cloud/storage/relational/index.ts'
import type { GatewayId } from '../../cloud-sync/contract/index.ts'
import { noEvidence } from './billing-desk.ts'
import { cardOf, DAM } from './billing-world.ts'
import { havePeer } from './peers.ts'
import { type PostgresCluster, startPostgres } from './postgres.ts'

const HOUR_MS = 3_600_000

/** Billing with a real database, and a ledger and a directory that a test writes. */
export interface TestInvoicing {
  readonly world: InvoicingWorld
  readonly books: PriceBooks
  readonly store: BillingStore
  /** Goes to a moment, `2026-08-04` or with a time. */
  at(moment: string): void
  /** These facts are posted now. */
  receive(...facts: readonly DayFact[]): void
  readonly organisation: { billedOutside: boolean }
  /** Of gateways that the organisation has: when they reported last, epoch ms. */
  readonly reported: Map<string, number>
  /** A new book; the dam pays by its first card. */
  prices(version: string, cards?: readonly object[], from?: string): Promise<void>
  close(): Promise<Closed[]>
  /** Runs a statement beside the product, as whoever can reach the database could. */
  readonly tamper: (statement: RawBuilder<unknown>) => Promise<void>
  end(): Promise<void>
}

export async function openTestInvoicing(
  target: DatabaseTarget,
  more: Partial<InvoicingWorld> = {},
): Promise<TestInvoicing> {
  const store = await openBillingStore(target)
  let now = Date.parse('2026-08-04T00:00:00Z')
  let ids = 0
  const received: { readonly fact: DayFact; readonly turn: number }[] = []
  let turns = 0
  const organisation = { billedOutside: false }
  const reported = new Map<string, number>()
  const dam = (): BilledOrganisation => ({
    id: DAM,
    name: 'The Dam Ltd',
    zones: [],
    endedAt: null,
    ...organisation,
  })
  const world: InvoicingWorld = {
    store,
    provider: invoiceOnly,
    issuer: { name: 'Headgate', lines: ['1 River Road'] },
    now: () => now,
    newId: () => `id-${String((ids += 1)).padStart(4, '0')}`,
    usage: {
      cutOff: () => Promise.resolve((turns += 1)),
      factsOf: (org, { from, to, postedBefore = Infinity }) =>
        Promise.resolve(
          received
            .filter(
              ({ fact, turn }) =>
                fact.org === org && fact.day >= from && fact.day <= to && turn < postedBefore,
            )
            .map(({ fact }) => fact),
        ),
      monthsWithNews: (org, { from, before = Infinity }) =>
        Promise.resolve(
          [
            ...new Set(
              received
                .filter(({ fact, turn }) => fact.org === org && turn >= from && turn < before)
                .map(({ fact }) => periodOf(fact.day)),
            ),
          ].sort(),
        ),
      reportedUntil: () => Promise.resolve(reported),
      recordsOf: () => Promise.resolve([]),
    },
    evidence: noEvidence,
    directory: {
      organisations: () => Promise.resolve([dam()]),
      organisation: (org) => Promise.resolve(org === DAM ? dam() : undefined),
      membersOf: () => Promise.resolve(new Set(['anna', 'ben'])),
      gatewaysOf: () =>
        Promise.resolve(
          new Map([...reported.keys()].map((id): [GatewayId, string] => [id as GatewayId, 'anna'])),
        ),
      presenceOf: () => Promise.resolve([]),
      customersOf: () => Promise.resolve([]),
      holdsOf: () => Promise.resolve([]),
    },
    ...more,
  }
  const books = new PriceBooks()
  return {
    world,
    books,
    store,
    at: (moment) => void (now = Date.parse(moment.includes('T') ? moment : `${moment}T00:00:00Z`)),
    receive(...facts) {
      turns += 1
      for (const fact of facts) received.push({ fact, turn: turns })
    },
    organisation,
    reported,
    async prices(version, cards = [cardOf()], from = '2026-07-01') {
      const [first] = cards as { id: string }[]
      const assignments = [{ org: DAM, card: first?.id, from }]
      await store.transaction((tx) =>
        addPriceBook(tx, { data: { version, cards, assignments }, at: now, by: 'test' }),
      )
    },
    close: () => {
      now += HOUR_MS
      return closeDue(world, books, { org: DAM, now })
    },
    async tamper(statement) {
      const beside = await openRelational<never>(target, { name: 'billing', migrations: BILLING_MIGRATIONS })
      try {
        await beside.transaction((tx) => statement.execute(tx))
      } finally {
        await beside.close()
      }
    },
    end: () => store.close(),
  }
}

export interface InvoicingEngine {
  /** A test with an open, empty database. */
  with(name: string, body: (invoicing: TestInvoicing) => Promise<void>): void
}

/** The same suite over SQLite files and PostgreSQL. */
export function onBothBillingEngines(suite: (engine: InvoicingEngine) => void): void {
  describe('SQLite', () => {
    let folder = ''
    let made = 0
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'headgate-billing-'))
    })
    afterAll(() => {
      rmSync(folder, { recursive: true, force: true })
    })
    suite(
      engineOn(test, () => Promise.resolve({ dialect: 'sqlite', path: join(folder, `b${(made += 1)}.db`) })),
    )
  })
  const postgres = havePeer('postgresql')
  describe(postgres ? 'PostgreSQL' : 'PostgreSQL [needs postgresql: run test/peers/install as root]', () => {
    let cluster: PostgresCluster | undefined
    let shared: DatabaseTarget | undefined
    beforeAll(async () => {
      if (postgres) cluster = await startPostgres()
    }, 60_000)
    afterAll(async () => {
      await cluster?.stop()
    }, 30_000)
    const emptied = async (): Promise<DatabaseTarget> => {
      if (shared === undefined) return (shared = { dialect: 'postgres', url: cluster?.database('b1') ?? '' })
      await cluster?.empty('b1', Object.keys(BILLING_TABLES))
      return shared
    }
    suite(engineOn((postgres ? test : test.skip) as TestAPI, emptied))
  })
}

const engineOn = (say: TestAPI, target: () => Promise<DatabaseTarget>): InvoicingEngine => ({
  with: (name, body) => {
    say(name, async () => {
      const invoicing = await openTestInvoicing(await target())
      try {
        await body(invoicing)
      } finally {
        await invoicing.end()
      }
    })
  },
})
