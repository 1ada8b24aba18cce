import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DayFact } from '../../../cloud-sync/cloud/billing/index.ts'
import { closeDue } from '../../../cloud-sync/cloud/invoicing/closing.ts'
import { usageLedger } from '../../../cloud-sync/cloud/invoicing/ledger.ts'
import { invoiceOnly } from '../../../cloud-sync/cloud/invoicing/payments/invoice-only.ts'
import { addPriceBook, PriceBooks } from '../../../cloud-sync/cloud/invoicing/prices.ts'
import { bookedStatement } from '../../../cloud-sync/cloud/invoicing/statements.ts'
import {
  type CloudDatabase,
  monthOf,
  openBillingStore,
  openLedger,
} from '../../../cloud-sync/cloud/storage/index.ts'
import type { GatewayId, OrgId } from '../../../cloud-sync/contract/index.ts'

const noEvidence = (): AsyncIterable<string> => {
  throw new Error('not asked for here')
}
const EPOCH = '1'.repeat(32)
const ZERO = '0'.repeat(64)
const TX_RECORDS = 500

/** Writes day facts into a ledger: one record for each gateway and day. */
async function post(db: CloudDatabase, facts: readonly DayFact[]): Promise<void> {
  const records = new Map<string, DayFact[]>()
  for (const fact of facts) {
    const name = `${fact.gateway} ${fact.day}`
    const record = records.get(name)
    if (record === undefined) records.set(name, [fact])
    else record.push(fact)
  }
  const seqs = new Map<string, number>()
  const all = [...records.values()]
  const [first] = all[0] ?? []
  if (first === undefined) return
  await db.readyFor(Date.parse(first.day))
  for (let at = 0; at < all.length; at += TX_RECORDS) {
    const rows = all.slice(at, at + TX_RECORDS).flatMap((postings) => {
      const [{ gateway, day, org, network } = first] = postings
      const seq = (seqs.get(gateway) ?? 0) + 1
      seqs.set(gateway, seq)
      const received = Date.parse(day)
      const of = { gateway, epoch: EPOCH, seq, month: monthOf(received) }
      const said = { org, kind: 'day_close', day, wall_end: received, network, bytes: Buffer.alloc(0) }
      return [
        {
          of,
          record: { ...of, ...said, prev: ZERO, hash: ZERO, received_at: received, posted: received },
          postings,
        },
      ]
    })
    await db.transaction(async (tx) => {
      const records = rows.map(({ record }) => record)
      const postings = rows.flatMap(({ of, postings: some }) =>
        some.map(({ meter, subject, quantity, custodian, workspace, billable }) => ({
          ...{
            ...of,
            meter,
            subject,
            gen: 0,
            quantity,
            custodian,
            workspace,
            billable: billable ? 1 : 0,
            q: 0,
          },
        })),
      )
      await tx.insertInto('usage_record').values(records).execute()
      for (let from = 0; from < postings.length; from += TX_RECORDS)
        await tx
          .insertInto('usage_posting')
          .values(postings.slice(from, from + TX_RECORDS))
          .execute()
    })
  }
}

interface Timed {
  readonly ms: number
  readonly cpuMs: number
}
async function timed(work: () => Promise<unknown>): Promise<Timed> {
  const began = performance.now()
  const cpu = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(cpu)
  return { ms: Math.round(performance.now() - began), cpuMs: Math.round((user + system) / 1_000) }
}

/** The same month through a ledger and billing's tables in SQLite files: read, rated, booked with its cells, read again. */
export async function throughStorage(
  facts: readonly DayFact[],
  {
    org,
    period,
    book,
    progress,
  }: { org: OrgId; period: string; book: unknown; progress: (text: string) => void },
): Promise<{ facts: Timed; close: Timed; readBack: Timed }> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-statement-'))
  const db = await openLedger({ dialect: 'sqlite', path: join(folder, 'cloud.db') })
  const store = await openBillingStore({ dialect: 'sqlite', path: join(folder, 'billing.db') })
  try {
    progress('posting the month to a ledger')
    await post(db, facts)
    const gateways = [...new Set(facts.map(({ gateway }) => gateway as GatewayId))]
    const now = Date.parse(`${period}-28`) + 14 * 86_400_000
    const directory = {
      organisations: () => Promise.resolve([]),
      organisation: () =>
        Promise.resolve({ id: org, name: org, billedOutside: false, zones: [], endedAt: null }),
      membersOf: () => Promise.resolve(new Set<string>()),
      gatewaysOf: () => Promise.resolve(new Map<GatewayId, null>()),
      presenceOf: () => Promise.resolve(gateways),
      customersOf: () => Promise.resolve([]),
      holdsOf: () => Promise.resolve([]),
    }
    const usage = usageLedger({ db, directory, now: () => now })
    let ids = 0
    const world = {
      ...{ store, usage, directory, provider: invoiceOnly, now: () => now, newId: () => `id-${(ids += 1)}` },
      issuer: { name: 'Headgate', lines: [] },
      evidence: noEvidence,
    }
    const books = new PriceBooks()
    await store.transaction((tx) => addPriceBook(tx, { data: book, at: now, by: 'bench' }))
    progress('facts')
    const span = { from: `${period}-01`, to: `${period}-31` }
    const read = await timed(() => usage.factsOf(org, span))
    progress('closing')
    const close = await timed(() => closeDue(world, books, { org, now }))
    progress('reading back')
    const readBack = await timed(() => bookedStatement(store.read, org, period))
    return { facts: read, close, readBack }
  } finally {
    await store.close()
    await db.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
