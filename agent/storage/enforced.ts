import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { Database } from 'better-sqlite3'
import { PolicySnapshot } from '../../cloud-sync/contract/index.ts'
import { readMeta, writeMeta } from './meta.ts'
import type { Writer } from './writer.ts'

const ENFORCED_META = 'policy_enforced'

/**
 * The policy up to which everything that somebody lost has ended: sessions, queues, retained messages. It is another than
 * the one in force only where the process died between the two, and then the next start ends the rest.
 */
export class EnforcedPolicy {
  readonly #database: Database
  readonly #writer: Writer
  /** As it was written last. */
  #packed: string | undefined

  constructor(database: Database, writer: Writer) {
    this.#database = database
    this.#writer = writer
  }

  /** Undefined where there never was one, or where it was written by a version whose policies this one cannot read. */
  read(): PolicySnapshot | undefined {
    const packed = readMeta(this.#database, ENFORCED_META)
    if (typeof packed !== 'string') return undefined
    this.#packed = packed
    const parsed = PolicySnapshot.safeParse(unpacked(packed))
    return parsed.success ? parsed.data : undefined
  }

  /** Goes into the same commit as what the caller has just ended by it. Rejects as the writer does. */
  async note(snapshot: PolicySnapshot): Promise<void> {
    const packed = pack(snapshot)
    if (packed === this.#packed) return
    this.#packed = packed
    await this.#writer.submit((database) => {
      writeMeta(database, ENFORCED_META, packed)
    })
  }
}

/** Without what changes with every policy and takes nothing from anybody, so that a mere renewal is not written. */
function pack(snapshot: PolicySnapshot): string {
  const same = {
    generation: 1,
    version: 1,
    issuedAt: 0,
    freshUntil: null,
    hardUntil: null,
    heard: null,
    quotas: [],
  }
  return deflateRawSync(JSON.stringify({ ...snapshot, ...same }), { level: 1 }).toString('base64')
}

function unpacked(packed: string): unknown {
  try {
    return JSON.parse(inflateRawSync(Buffer.from(packed, 'base64')).toString('utf8')) as unknown
  } catch {
    return undefined
  }
}
