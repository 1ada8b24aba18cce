import { join } from 'node:path'
import { z } from 'zod'
import { comparePolicyOrder, Hash, type PolicyOrder } from '../../../cloud-sync/contract/index.ts'
import { readIfThere, replaceFile } from '../files.ts'
import type { PolicyMark } from './arrival.ts'

/** Beside the database, so that a restored database cannot bring back an old policy. */
const FILE = 'policy-version'

const Content = z.strictObject({
  /** Another root counts its versions anew. */
  trust: z.string(),
  generation: z.int().min(1),
  version: z.int().min(1),
  hash: Hash.nullable(),
  ownerEpoch: z.int().min(1),
  /** Version of the newest keyset of that generation. */
  keyset: z.int().min(0),
  /** Policy time, epoch ms. */
  at: z.int().min(0),
})
type Content = z.infer<typeof Content>

/** What was newest ever: policy, keyset, policy time. A small file, 0600, replaced whole and flushed. */
export class HighWater {
  readonly #path: string
  readonly #trust: string
  #content: Content | null
  /** There was a file, and nothing in it could be read. */
  readonly isDamaged: boolean

  constructor(folder: string, trust: string) {
    this.#path = join(folder, FILE)
    this.#trust = trust
    const text = readIfThere(this.#path)
    const content = text === undefined ? undefined : readContent(text)
    this.isDamaged = text !== undefined && content === undefined
    this.#content = content?.trust === trust ? content : null
  }

  mark(): PolicyMark | null {
    return this.#content
  }

  keyset(): PolicyOrder | undefined {
    const content = this.#content
    return content === null ? undefined : { generation: content.generation, version: content.keyset }
  }

  /** Latest policy time noted, epoch ms. */
  at(): number {
    return this.#content?.at ?? 0
  }

  /** Notes what is newer than what stands there; `keep` writes it. */
  raise(mark: PolicyMark, keyset: PolicyOrder, at: number): void {
    const before = this.#content
    const isNewer = comparePolicyOrder(mark, before ?? undefined) >= 0
    const { generation, version, hash, ownerEpoch } = isNewer || before === null ? mark : before
    const known = before?.generation === generation ? before.keyset : 0
    this.#content = {
      trust: this.#trust,
      generation,
      version,
      hash,
      ownerEpoch,
      keyset: keyset.generation === generation ? Math.max(known, keyset.version) : known,
      at: Math.max(0, Math.round(at)),
    }
  }

  /** Writes what was noted. Throws what the file system throws; what is noted stays noted for the next time. */
  keep(at: number): void {
    if (this.#content === null) return
    this.#content = { ...this.#content, at: Math.max(0, Math.round(at)) }
    replaceFile(this.#path, `${JSON.stringify(this.#content)}\n`)
  }
}

/** The form of today, or the one before: root key and version. */
function readContent(text: string): Content | undefined {
  const [trust = '', version = ''] = text.trim().split(' ')
  const before = {
    trust,
    generation: 1,
    version: Number(version),
    hash: null,
    ownerEpoch: 1,
    keyset: 0,
    at: 0,
  }
  try {
    return Content.parse(text.startsWith('{') ? JSON.parse(text) : before)
  } catch {
    return undefined
  }
}
