import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { GatewayStatus, Stream } from '../../cloud-sync/contract/index.ts'
import { type Opened, openIncoming } from '../../cloud-sync/cloud/ingest/open.ts'
import type { Answer, Outcome } from '../../cloud-sync/cloud/ingest/posting.ts'
import { createWorker, type LedgerWorker } from '../../cloud-sync/cloud/ingest/worker.ts'
import { type CloudDatabase, type DatabaseTarget, openLedger } from '../../cloud-sync/cloud/storage/index.ts'
import { cloudIdOf, generateKeyPair, sealKeyset, shardOf, signingKey } from '../../cloud-sync/codec/index.ts'
import { ledgerEvidence } from '../../cloud-sync/cloud/ledger/index.ts'
import { type EvidenceOrder, writeEvidence } from '../../cloud-sync/evidence/index.ts'
import { upTopic } from '../../cloud-sync/contract/index.ts'
import { temporaryFolder } from './temporary-folder.ts'
import type { FakeGateway } from './fake-gateway.ts'

const root = signingKey(generateKeyPair().privateKey)
const signing = signingKey(generateKeyPair().privateKey)
/** What an auditor believes. */
export const CLOUD_ROOT = root.publicKey
export const CLOUD_ID = cloudIdOf(CLOUD_ROOT)
export const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

export interface TestLedger {
  readonly db: CloudDatabase
  readonly worker: LedgerWorker
  /** Opens and offers a signed message as it came from the link; waits for the commit, returns its answers. */
  deliver(gateway: FakeGateway, kind: Stream, body: Uint8Array): Promise<Answer | undefined>
  announce(gateway: FakeGateway, status: GatewayStatus): Promise<Answer[]>
  /** What an auditor gets. */
  evidence(asked?: Partial<Pick<EvidenceOrder, 'scope' | 'period'>>): Promise<Buffer>
  /** Everything the ledger holds, as plain rows: two ledgers with the same are the same. */
  rows(): Promise<Record<string, unknown>>
  close(): Promise<void>
}

/** The real ingest on a database file of its own. */
export const testLedger = (...gateways: FakeGateway[]): Promise<TestLedger> =>
  openTestLedger({ dialect: 'sqlite', path: join(temporaryFolder(), 'cloud.db') }, gateways)

/** The real ingest on any database; closed when the test is over, if not before. */
export async function openTestLedger(
  target: DatabaseTarget,
  gateways: readonly FakeGateway[],
  /** When the ledger receives what comes, epoch ms. */
  now: () => number = () => 1,
): Promise<TestLedger> {
  const db = await openLedger(target)
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => (closed ??= db.close())
  onTestFinished(close)
  let outcomes: Outcome[] = []
  const worker = createWorker({
    db,
    now,
    monoMs: () => performance.now(),
    log: silent,
    committed: (done) => {
      outcomes.push(...done)
    },
  })
  const settings = {
    cloudId: CLOUD_ID,
    publicKeyOf: (id: string) => gateways.find((gateway) => gateway.id === id)?.key.publicKey,
  }
  const settled = async (opened: Opened): Promise<Answer[]> => {
    if (!opened.ok) throw new Error(`refused: ${opened.because}`)
    outcomes = []
    worker.offer(opened.incoming)
    await worker.idle()
    return outcomes.flatMap(({ answers }) => answers)
  }
  return {
    db,
    worker,
    async deliver(gateway, kind, body) {
      const topic = upTopic(shardOf(gateway.id), gateway.id, kind)
      const [answer] = await settled(openIncoming(settings, topic, gateway.sign(kind, body)))
      return answer
    },
    announce(gateway, status) {
      const topic = upTopic(shardOf(gateway.id), gateway.id, 'status')
      return settled(openIncoming(settings, topic, Buffer.from(JSON.stringify(status))))
    },
    evidence: (asked) => evidenceOf({ db, gateways }, asked),
    rows: () => dump(db),
    close,
  }
}

async function evidenceOf(
  { db, gateways }: { db: CloudDatabase; gateways: readonly FakeGateway[] },
  asked: Partial<Pick<EvidenceOrder, 'scope' | 'period'>> = {},
): Promise<Buffer> {
  const known = gateways.map(({ id, key }) => ({ id, publicKey: key.publicKey }))
  const register = { gateways: () => Promise.resolve(known), receipts: () => Promise.resolve([]) }
  const keyset = sealKeyset({ v: 2, generation: 1, version: 1, keys: [signing.publicKey] }, root)
  const parts: string[] = []
  for await (const line of writeEvidence(ledgerEvidence({ db, register, cloudId: CLOUD_ID }), {
    scope: { of: 'operator' },
    period: { from: null, to: null },
    only: null,
    ...asked,
    gateways: known,
    keys: { rootPublicKey: CLOUD_ROOT, keyset, signing },
  }))
    parts.push(line)
  return Buffer.from(parts.join(''))
}

async function dump({ read }: CloudDatabase): Promise<Record<string, unknown>> {
  const records = await read
    .selectFrom('usage_record')
    .select(['gateway', 'epoch', 'seq', 'prev', 'hash', 'org', 'kind', 'day', 'wall_end', 'network', 'bytes'])
    .orderBy('gateway')
    .orderBy('epoch')
    .orderBy('seq')
    .execute()
  const postings = await read
    .selectFrom('usage_posting')
    .select(['gateway', 'epoch', 'seq', 'meter', 'subject', 'gen', 'custodian', 'workspace', 'billable', 'q'])
    .select((eb) => eb.cast<string>('quantity', 'text').as('quantity'))
    .orderBy('gateway')
    .orderBy('epoch')
    .orderBy('seq')
    .orderBy('subject')
    .orderBy('meter')
    .orderBy('gen')
    .execute()
  const registers = await read
    .selectFrom('usage_register')
    .selectAll()
    .orderBy('gateway')
    .orderBy('epoch')
    .orderBy('subject')
    .orderBy('gen')
    .execute()
  const streams = await read
    .selectFrom('stream')
    .select(['gateway', 'stream', 'epoch', 'parent', 'up_to', 'head', 'state'])
    .orderBy('gateway')
    .orderBy('stream')
    .orderBy('epoch')
    .execute()
  const labels = await read
    .selectFrom('usage_day_assign')
    .select(['gateway', 'epoch', 'seq', 'of_epoch', 'corrects', 'day', 'share_from', 'share_to', 'share_of'])
    .orderBy('gateway')
    .orderBy('epoch')
    .orderBy('seq')
    .execute()
  const batches = await read
    .selectFrom('reading_batch')
    .select(['gateway', 'epoch', 'stream', 'seq', 'hash', 'readings'])
    .orderBy('gateway')
    .orderBy('epoch')
    .orderBy('stream')
    .orderBy('seq')
    .execute()
  const chunks = await read
    .selectFrom('reading_chunk as k')
    .innerJoin('reading_channel as c', 'c.id', 'k.channel_id')
    .select(['c.gateway', 'c.epoch', 'c.no', 'c.org', 'k.seq', 'k.from_ms', 'k.to_ms', 'k.count', 'k.data'])
    .orderBy('c.gateway')
    .orderBy('c.epoch')
    .orderBy('k.seq')
    .orderBy('c.no')
    .execute()
  return { streams, records, postings, registers, labels, batches, chunks }
}
