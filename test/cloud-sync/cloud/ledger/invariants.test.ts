import fc from 'fast-check'
import { expect } from 'vitest'
import { openIncoming } from '../../../../cloud-sync/cloud/ingest/open.ts'
import { createWorker } from '../../../../cloud-sync/cloud/ingest/worker.ts'
import { verifyGateway } from '../../../../cloud-sync/cloud/ledger/index.ts'
import {
  batchesOfUsage,
  type CloudDatabase,
  cutOff,
  dayFacts,
  openLedger,
  recordsOf,
} from '../../../../cloud-sync/cloud/storage/index.ts'
import { decodeRecord, openMessage, sealRecord, sha256, shardOf } from '../../../../cloud-sync/codec/index.ts'
import { type OrgId, type SealedRecord, upTopic, ZERO_HASH } from '../../../../cloud-sync/contract/index.ts'
import { verified } from '../../../support/evidence-file.ts'
import {
  epochOf,
  type FakeGateway,
  fakeGateway,
  statusOf,
  usageBody,
  usageChain,
  usageRecord,
} from '../../../support/fake-gateway.ts'
import { onLedgerEngines } from '../../../support/ledger-engines.ts'
import {
  CLOUD_ID,
  CLOUD_ROOT,
  openTestLedger,
  silent,
  type TestLedger,
} from '../../../support/test-ledger.ts'

const [E1, E2] = [epochOf('1'), epochOf('2')]
const ACME = 'acme' as OrgId

interface Sent {
  readonly gateway: FakeGateway
  readonly kind: 'usage' | 'status'
  readonly body: Uint8Array
}

/** Two gateways, one of which left its first epoch; messages that overlap, and an assignment of a day. */
function history(): { gateways: FakeGateway[]; sent: Sent[] } {
  const gateways = [fakeGateway('GW-1', CLOUD_ID), fakeGateway('GW-2', CLOUD_ID)]
  const sent = gateways.flatMap((gateway, n): Sent[] => {
    const { id } = gateway
    const known = usageChain({ gateway: id, epoch: E1, count: 5 })
    const undated = usageChain({
      gateway: id,
      epoch: E1,
      first: 6,
      count: 1,
      prev: headOf(known),
      from: 35n,
      day: null,
    })
    const fields = { gw: id, epoch: E1, seq: 7, prev: headOf(undated), kind: 'day_assign', corrects: 6 }
    const records = [...known, ...undated, sealRecord(usageRecord({ ...fields, day: '2026-02-28' }))]
    const cuts = [records.slice(0, 3), records.slice(2, 5), records.slice(4), records]
    const first = cuts.map((cut) => ({ gateway, kind: 'usage' as const, body: usageBody(cut) }))
    if (n === 0) return first
    const child = usageChain({ gateway: id, epoch: E2, count: 3, from: 42n })
    const status = statusOf({ usage: { epoch: E2, parent: E1 } })
    return [
      ...first,
      { gateway, kind: 'status', body: Buffer.from(JSON.stringify(status)) },
      { gateway, kind: 'usage', body: usageBody(child) },
    ]
  })
  return { gateways, sent }
}

const headOf = (records: readonly SealedRecord[]) => records.at(-1)?.hash ?? ZERO_HASH

async function deliver(ledger: TestLedger, { gateway, kind, body }: Sent): Promise<unknown> {
  if (kind === 'usage') return ledger.deliver(gateway, kind, body)
  return ledger.announce(gateway, statusOf({ usage: { epoch: E2, parent: E1 } }))
}

onLedgerEngines(({ dialect, test, target, ledger: open }) => {
  test('I6 any order and repetition of the uploads gives the same ledger, receipt times excepted', async () => {
    const { gateways, sent } = history()
    const reference = await open(...gateways)
    for (const message of sent) await deliver(reference, message)
    const expected = await reference.rows()
    const facts = await dayFacts(reference.db.read, { org: ACME })
    expect(facts.map(({ day }) => day)).toContain('2026-02-28')
    // A child's announcement may be heard only when its parent has been heard out, as gateways do it.
    const usage = sent.filter(({ gateway, kind }) => kind === 'usage' && gateway === gateways[0])
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: usage.length - 1 }), { maxLength: 12 }), async (order) => {
        const ledger = await open(...gateways)
        for (const index of order) {
          const message = usage[index]
          if (message) await deliver(ledger, message)
        }
        for (const message of sent) await deliver(ledger, message)
        for (const message of sent.toReversed()) await deliver(ledger, message)
        expect(await ledger.rows()).toEqual(expected)
        expect(await dayFacts(ledger.db.read, { org: ACME })).toEqual(facts)
        await ledger.close()
      }),
      { numRuns: dialect === 'sqlite' ? 10 : 3 },
    )
  })

  test('I2 the numbers of every epoch are contiguous, each record hashes to its hash and names the one before', async () => {
    const { gateways, sent } = history()
    const ledger = await open(...gateways)
    for (const message of sent) await deliver(ledger, message)
    for (const { id } of gateways) {
      for (const epoch of [E1, E2]) {
        let [seq, head] = [0, ZERO_HASH as string]
        for await (const row of recordsOf(ledger.db.read, { gateway: id, epoch })) {
          const record = decodeRecord(row.bytes)
          expect([row.seq, record.seq, row.prev, record.prev]).toEqual([seq + 1, seq + 1, head, head])
          expect(sha256(row.bytes)).toBe(row.hash)
          ;[seq, head] = [row.seq, row.hash]
        }
      }
      expect(await verifyGateway(ledger.db.read, id)).toMatchObject({ ok: true })
    }
  })

  test('every posted record is in a message that the gateway signed, kept as it came', async () => {
    const { gateways, sent } = history()
    const ledger = await open(...gateways)
    for (const message of sent) await deliver(ledger, message)
    for (const gateway of gateways) {
      const covered = new Set<number>()
      for await (const { first, last, keyId, message } of batchesOfUsage(ledger.db.read, {
        gateway: gateway.id,
        epoch: E1,
      })) {
        const publicKeyFor = (): string => gateway.key.publicKey
        expect(openMessage({ kind: 'usage', recipient: CLOUD_ID, message, publicKeyFor }).ok).toBe(true)
        expect(keyId).toBe(gateway.key.keyId)
        for (let seq = first; seq <= last; seq += 1) covered.add(seq)
      }
      expect([...covered].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7])
    }
  })

  test('a stretch of the past is given a day once, and what a cut-off did not know does not count', async () => {
    const gateway = fakeGateway('GW-1', CLOUD_ID)
    const ledger = await open(gateway)
    const undated = usageChain({ gateway: gateway.id, epoch: E1, count: 1, step: 10n, day: null })
    await ledger.deliver(gateway, 'usage', usageBody(undated))
    const labels = [
      [0, 3, '2026-01-30'],
      [3, 4, '2026-01-31'],
      // The same stretch again, as after a restored image: it has its day.
      [2, 4, '2026-02-01'],
    ] as const
    let prev = headOf(undated)
    const label = async (seq: number, fields: Record<string, unknown> & { day: string }): Promise<void> => {
      const sealed = sealRecord(
        usageRecord({ gw: gateway.id, epoch: E1, seq, prev, kind: 'day_assign', ...fields }),
      )
      prev = sealed.hash
      expect(await ledger.deliver(gateway, 'usage', usageBody([sealed]))).toMatchObject({ status: 'ok' })
    }
    for (const [index, [from, to, day]] of labels.entries()) {
      await label(index + 2, { corrects: 1, day, share: { epoch: null, from, to, of: 4 } })
    }
    const more = usageChain({
      gateway: gateway.id,
      epoch: E1,
      first: 5,
      count: 1,
      prev,
      from: 10n,
      day: null,
    })
    prev = headOf(more)
    await ledger.deliver(gateway, 'usage', usageBody(more))
    // Nobody says of another organisation's usage when it was, nor of a record that is not there.
    await label(6, { corrects: 5, day: '2026-02-02', org: 'borealis' })
    await label(7, { corrects: 9, day: '2026-02-02' })
    const facts = await dayFacts(ledger.db.read, { org: ACME })
    expect(facts.map(({ day, quantity }) => [day, quantity])).toEqual([
      ['2026-01-30', 7n],
      ['2026-01-31', 3n],
    ])
    expect(await verifyGateway(ledger.db.read, gateway.id)).toMatchObject({ ok: true, faults: [] })
    for (const scope of [{ of: 'operator' }, { of: 'organisation', org: ACME }] as const) {
      const report = await verified(await ledger.evidence({ scope }), { trust: CLOUD_ROOT })
      expect(report).toMatchObject({ ok: true, fault: null })
    }
    expect(await dayFacts(ledger.db.read, { org: ACME, postedBefore: 1 })).toEqual([])
    expect(await dayFacts(ledger.db.read, { org: ACME, postedBefore: await cutOff(ledger.db, 1) })).toEqual(
      facts,
    )
    expect(await dayFacts(ledger.db.read, { org: ACME, from: '2026-01-31' })).toMatchObject([
      { quantity: 3n },
    ])
  })

  if (dialect === 'sqlite') return

  test('workers that all get every message post it once between them', async () => {
    const { gateways, sent } = history()
    const reference = await open(...gateways)
    for (const message of sent) await deliver(reference, message)
    const shared = target()
    const one = await openTestLedger(shared, gateways)
    const others = await Promise.all([1, 2].map(() => openLedger(shared)))
    const cutting = new AbortController()
    try {
      const cuts = cutsWhile(one.db, cutting.signal)
      const answered = await allAtOnce([one.db, ...others], { gateways, sent })
      cutting.abort()
      // What was below a cut-off when it was made is all that ever is.
      for (const { cut, seen } of await cuts) expect([cut, await below(one.db, cut)]).toEqual([cut, seen])
      expect(new Set(answered)).toEqual(new Set(['ok']))
      expect(await one.rows()).toEqual(await reference.rows())
    } finally {
      cutting.abort()
      for (const db of others) await db.close()
    }
  })
})

/** How many records are below a cut-off. */
async function below({ read }: CloudDatabase, cut: number): Promise<number> {
  const rows = await read.selectFrom('usage_record').select('seq').where('posted', '<', cut).execute()
  return rows.length
}

/** Cut-offs one after the other, and what could be read of each at once. */
async function cutsWhile(
  db: CloudDatabase,
  signal: AbortSignal,
): Promise<readonly { readonly cut: number; readonly seen: number }[]> {
  const cuts: { cut: number; seen: number }[] = []
  while (!signal.aborted) {
    const cut = await cutOff(db, 1)
    cuts.push({ cut, seen: await below(db, cut) })
  }
  return cuts
}

/** Each message to a worker of each database, all without waiting for each other. */
async function allAtOnce(
  databases: readonly CloudDatabase[],
  { gateways, sent }: { gateways: readonly FakeGateway[]; sent: readonly Sent[] },
): Promise<string[]> {
  const answered: string[] = []
  const workers = databases.map((db) =>
    createWorker({
      db,
      now: () => 1,
      monoMs: () => performance.now(),
      log: { ...silent, error: (detail) => void answered.push(JSON.stringify(detail)) },
      committed(outcomes) {
        for (const { answers } of outcomes) answered.push(answers[0]?.status ?? 'none')
      },
    }),
  )
  const publicKeyOf = (id: string) => gateways.find((gateway) => gateway.id === id)?.key.publicKey
  for (const { gateway, kind, body } of sent) {
    const topic = upTopic(shardOf(gateway.id), gateway.id, kind)
    const payload = kind === 'usage' ? gateway.sign('usage', body) : body
    const opened = openIncoming({ cloudId: CLOUD_ID, publicKeyOf }, topic, payload)
    if (!opened.ok) throw new Error(opened.because)
    for (const worker of workers) worker.offer(opened.incoming)
  }
  await Promise.all(workers.map((worker) => worker.idle()))
  return answered
}
