import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import BetterSqlite from 'better-sqlite3'
import type { SigningKey } from '../../../cloud-sync/codec/index.ts'
import type { OrgId } from '../../../cloud-sync/contract/index.ts'
import { openKeys } from '../../../cloud-sync/cloud/keys/index.ts'
import { verifyGateway } from '../../../cloud-sync/cloud/ledger/index.ts'
import { openLedger, usageDays } from '../../../cloud-sync/cloud/storage/index.ts'
import { writeDirectory } from '../../support/cloud-fixture.ts'
import { type CloudProcess, linkGateway, spawnCloud, writeConfig } from '../../support/cloud-process.ts'
import { evidenceWorld, type WorldGateway } from '../../support/evidence-world.ts'
import { statusOf } from '../../support/fake-gateway.ts'

const RECORDS = 30
const UPLOAD_MS = 60_000
const ORGS = ['acme', 'borealis'] as OrgId[]

/** Where bytes lie in the database file, and which records they are of. */
interface Stored {
  readonly offset: number
  readonly length: number
  readonly epoch: string
  readonly first: number
  readonly last: number
}

/** What a cloud that ran, and has ended, left behind. */
export interface FilledCloud {
  readonly folder: string
  readonly trust: string
  readonly cloudId: string
  readonly signing: SigningKey
  readonly gateway: WorldGateway
  /** As its operator's API wrote it. */
  readonly evidence: Buffer
  /** `cloud.db`, as it lies on the disk. */
  readonly database: Buffer
  readonly records: readonly Stored[]
  readonly messages: readonly Stored[]
}

/** A cloud in a process of its own takes two epochs of a gateway, exports them and ends. */
export async function fillCloud(folder: string): Promise<FilledCloud> {
  const cleanUps: (() => Promise<void> | void)[] = []
  const defer = (cleanUp: () => Promise<void> | void): void => void cleanUps.push(cleanUp)
  try {
    const keys = openKeys(join(folder, 'data'))
    const { rootPublicKey: trust, cloudId, signing } = keys
    const [gateway] = evidenceWorld({ gateways: 1, records: RECORDS, to: cloudId }).gateways
    if (gateway === undefined) throw new Error('no gateway')
    const config = writeConfig(folder, writeDirectory(folder, [gateway.gateway]))
    const cloud = await spawnCloud(config, defer)
    await upload(gateway, { mqtt: cloud.mqtt, signer: signing.publicKey, defer })
    const evidence = await exported(cloud, folder)
    await cloud.end('SIGTERM')
    const database = readFileSync(join(folder, 'data', 'cloud.db'))
    return {
      folder,
      trust,
      cloudId,
      signing,
      gateway,
      evidence,
      database,
      ...storedIn(database, gateway, folder),
    }
  } finally {
    for (const cleanUp of cleanUps.reverse()) await cleanUp()
  }
}

async function upload(
  { gateway, streams }: WorldGateway,
  to: { mqtt: string; signer: string; defer: Parameters<typeof linkGateway>[1]['defer'] },
): Promise<void> {
  const link = await linkGateway(gateway, to)
  for (const { epoch, parent, upTo, messages } of streams) {
    await link.publish('status', Buffer.from(JSON.stringify(statusOf({ usage: { epoch, parent } }))))
    for (const { message } of messages) await link.publish('usage', message)
    const isDone = (): boolean => link.acks.some(({ ack }) => ack.epoch === epoch && ack.upTo === upTo)
    for (let waited = 0; !isDone(); waited += 20) {
      if (waited > UPLOAD_MS) throw new Error(`epoch ${epoch} is not acknowledged`)
      await sleep(20)
    }
  }
  await link.end()
}

async function exported({ http }: CloudProcess, folder: string): Promise<Buffer> {
  const token = readFileSync(join(folder, 'data', 'operator.token'), 'utf8').trim()
  const answer = await fetch(`${http}/v1/operator/evidence`, {
    headers: { Authorization: `Bearer ${token}` },
  })
  if (!answer.ok) throw new Error(`no evidence: ${answer.status}`)
  return Buffer.from(await answer.arrayBuffer())
}

/** Where each lies. What is cut by a page's end is hit by the flips anywhere. */
function storedIn(database: Buffer, { streams }: WorldGateway, folder: string) {
  const placed = (bytes: Uint8Array, table: string, of: Omit<Stored, 'offset' | 'length'>): Stored[] => {
    const offset = placesOf(database, bytes).find((at, _, { length }) =>
      length === 1 ? true : isLive({ database, folder, at: at + (bytes.length >> 1), table, of }, bytes),
    )
    return offset === undefined ? [] : [{ offset, length: bytes.length, ...of }]
  }
  const records = streams.flatMap(({ epoch, records: all }) =>
    all.flatMap(({ bytes, record: { seq } }) =>
      placed(bytes, 'usage_record', { epoch, first: seq, last: seq }),
    ),
  )
  const messages = streams.flatMap(({ epoch, messages: all }) =>
    all.flatMap(({ message, first, last }) => placed(message, 'usage_batch', { epoch, first, last })),
  )
  return { records, messages }
}

function placesOf(database: Buffer, bytes: Uint8Array): number[] {
  const places: number[] = []
  for (let at = database.indexOf(bytes); at !== -1; at = database.indexOf(bytes, at + 1)) places.push(at)
  return places
}

/** SQLite leaves copies behind where it moved rows to another page: only what a query reads is stored. */
function isLive(
  at: { database: Buffer; folder: string; at: number; table: string; of: Omit<Stored, 'offset' | 'length'> },
  bytes: Uint8Array,
): boolean {
  const path = join(at.folder, 'live.db')
  const changed = Buffer.from(at.database)
  changed[at.at] = (changed[at.at] ?? 0) ^ 1
  writeFileSync(path, changed)
  const db = new BetterSqlite(path)
  try {
    const [column, last] = at.table === 'usage_record' ? ['bytes', 'seq'] : ['message', 'last']
    const found = db
      .prepare(`select ${column} from ${at.table} where epoch = ? and ${last} = ?`)
      .pluck()
      .get(at.of.epoch, at.of.last) as Buffer
    return !found.equals(bytes)
  } finally {
    db.close()
  }
}

interface Found {
  /** What the verifier says; a database that cannot be read at all is one nameless fault. */
  readonly faults: readonly { readonly epoch: string; readonly seq: number }[]
  /** What the verifier counted, and what bills are made of. */
  readonly figures: string
}

export interface TamperedLedger {
  /** Of the file as it was. */
  readonly figures: string
  /** Opens this content as the cloud would, verifies it and adds up its figures. */
  verifiedWith(database: Uint8Array): Promise<Found>
}

export async function tamperedLedger(filled: FilledCloud): Promise<TamperedLedger> {
  const path = join(filled.folder, 'tampered.db')
  const verifiedWith = async (database: Uint8Array): Promise<Found> => {
    for (const rest of ['-wal', '-shm']) rmSync(`${path}${rest}`, { force: true })
    writeFileSync(path, database)
    try {
      return await look(path, filled)
    } catch (error) {
      // Whatever stops it is an alarm: nobody is billed from a file that cannot be read.
      return { faults: [{ epoch: '', seq: 0 }], figures: String(error) }
    }
  }
  const { faults, figures } = await verifiedWith(filled.database)
  if (faults.length > 0) throw new Error(`the untouched ledger is not sound: ${figures}`)
  return { figures, verifiedWith }
}

async function look(path: string, { gateway: { gateway }, cloudId }: FilledCloud): Promise<Found> {
  const db = await openLedger({ dialect: 'sqlite', path })
  try {
    const { id } = gateway
    const signer = { publicKey: gateway.key.publicKey, cloudId }
    const { faults, ...counted } = await verifyGateway(db.read, id, signer)
    const days = await Promise.all(ORGS.map((org) => usageDays(db.read, { org, gateways: [id] })))
    const text = (_: string, value: unknown): unknown =>
      typeof value === 'bigint' ? value.toString() : value
    return { faults, figures: JSON.stringify([counted, days], text) }
  } finally {
    await db.close()
  }
}
