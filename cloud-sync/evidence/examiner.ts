import {
  comparePolicyOrder,
  type Epoch,
  type GatewayId,
  type Hash,
  type Keyset,
  type PolicyOrder,
} from '../contract/index.ts'
import { cloudIdOf, openKeyset, openReceipt } from '../codec/index.ts'
import { Contents } from './contents.ts'
import { fault, type FaultKind, type StreamFault } from './faults.ts'
import type { EvidenceFact, EvidenceLine, LineOf } from './lines.ts'
import type { EvidenceStreamReport } from './report.ts'
import { examineBatch, examineRecord } from './records.ts'
import { StreamWalk } from './stream-walk.ts'
import { factName, Sums } from './sums.ts'
import { openWord } from './words.ts'

/** Whom the reader believes. */
export interface Belief {
  /** Root public key, base64; without it the file's own is taken, which proves only that the file agrees with itself. */
  readonly trust?: string
  /** Refuses a file whose newest keyset is older: its keys may have been given up since. */
  readonly keyset?: PolicyOrder
  readonly fact?: (gateway: GatewayId, fact: EvidenceFact) => void
}

const AFTER_RECORDS = ['batch', 'record', 'others', 'lost', 'stream', 'gateway', 'seal'] as const
/** Kinds of lines that may follow each kind. */
const NEXT: Readonly<Record<EvidenceLine['t'] | 'start', readonly EvidenceLine['t'][]>> = {
  start: ['head'],
  head: ['keyset'],
  keyset: ['keyset', 'contents', 'seal'],
  contents: ['contents', 'gateway', 'seal'],
  gateway: ['claim', 'fact', 'stream', 'gateway', 'seal'],
  claim: ['claim', 'fact', 'stream', 'gateway', 'seal'],
  fact: ['fact', 'stream', 'gateway', 'seal'],
  stream: AFTER_RECORDS,
  batch: AFTER_RECORDS,
  record: AFTER_RECORDS,
  others: AFTER_RECORDS,
  lost: AFTER_RECORDS,
  seal: [],
}

interface GatewayAt {
  readonly id: GatewayId
  readonly publicKey: string
  readonly walks: Map<Epoch, StreamWalk>
  readonly sums: Sums
  /** Sums that the ledger claims. */
  readonly claimed: Map<string, bigint>
}

const about = (what: FaultKind, detail: string): StreamFault => fault(what, null, detail)

/** Judges one line after another by what stood before it. */
export class Examiner {
  readonly streams: EvidenceStreamReport[] = []
  readonly #belief: Belief
  #head: LineOf<'head'> | undefined
  #cloudId = ''
  #keyset: Keyset | undefined
  #gateway: GatewayAt | undefined
  #walk: StreamWalk | undefined
  #facts = 0
  #contents = new Contents(null)
  #before: EvidenceLine['t'] | 'start' = 'start'
  readonly #epochs = new Set<Epoch>()

  constructor(belief: Belief) {
    this.#belief = belief
  }

  get head(): LineOf<'head'> | undefined {
    return this.#head
  }
  get keyset(): Keyset | undefined {
    return this.#keyset
  }
  /** How much the file says it contains. */
  get contents(): Contents['listed'] {
    return this.#contents.listed
  }
  /** Where in the ledger the last line was. */
  get place(): { gateway: GatewayId | null; epoch: Epoch | null; next: number | null } {
    const walk = this.#walk
    return {
      gateway: this.#gateway?.id ?? null,
      epoch: walk?.stream.epoch ?? null,
      next: walk?.next ?? null,
    }
  }
  /** Sums that were compared. */
  get facts(): number {
    return this.#facts
  }
  get isSealed(): boolean {
    return this.#before === 'seal'
  }

  /** `written`: how many lines stand before this one, and their running hash. */
  take(line: EvidenceLine, written: { lines: number; hash: Hash }): StreamFault | undefined {
    if (this.isSealed) return about('after-seal', `a line of kind ${line.t}`)
    if (!NEXT[this.#before].includes(line.t))
      return about('order', `${line.t} after ${this.#before === 'start' ? 'nothing' : this.#before}`)
    const found =
      this.#endBefore(line) ??
      (line.t === 'contents' ? this.#contents.list(line) : this.#judge(line, written))
    this.#before = line.t
    return found
  }

  #judge(
    line: Exclude<EvidenceLine, LineOf<'contents'>>,
    written: { lines: number; hash: Hash },
  ): StreamFault | undefined {
    switch (line.t) {
      case 'head':
        return this.#takeHead(line)
      case 'keyset':
        return this.#takeKeyset(line)
      case 'gateway':
        return this.#takeGateway(line)
      case 'claim':
        return this.#takeClaim(line)
      case 'stream':
        return this.#takeStream(line)
      case 'batch':
      case 'record':
      case 'others':
      case 'lost':
        return this.#takeRecords(line)
      case 'fact':
        return this.#takeFact(line)
      case 'seal':
        return this.#takeSeal(line, written)
    }
  }

  #takeHead(line: LineOf<'head'>): StreamFault | undefined {
    this.#head = line
    this.#contents = new Contents(line.only)
    this.#cloudId = cloudIdOf(line.root)
    const { trust } = this.#belief
    return trust === undefined || trust === line.root
      ? undefined
      : about('root', `the file is of the cloud with the root key ${line.root}`)
  }

  #takeKeyset({ message }: LineOf<'keyset'>): StreamFault | undefined {
    const keyset = openKeyset(this.#head?.root ?? '', Buffer.from(message, 'base64'))
    if (keyset === undefined) return about('keyset', 'it is not signed by the root key')
    if (this.#keyset !== undefined && comparePolicyOrder(keyset, this.#keyset) <= 0)
      return about('keyset', 'it is not newer than the one before it')
    this.#keyset = keyset
    return undefined
  }

  #takeGateway({ gateway, registration }: LineOf<'gateway'>): StreamFault | undefined {
    const wanted = this.#belief.keyset
    if (wanted !== undefined && comparePolicyOrder(this.#keyset, wanted) < 0)
      return about('keyset', `${wanted.generation}.${wanted.version} is wanted`)
    const before = this.#gateway?.id
    this.#gateway = undefined
    if (before !== undefined && before >= gateway) return about('order', `${gateway} after ${before}`)
    const unlisted = this.#contents.begin(gateway)
    if (unlisted !== undefined) return unlisted
    const word = this.#said(registration)
    if (word?.what !== 'registration' || word.gateway !== gateway)
      return about('registration', `nothing vouches for the key of ${gateway}`)
    const kept = { walks: new Map(), sums: new Sums(), claimed: new Map() }
    this.#gateway = { id: gateway, publicKey: word.publicKey, ...kept }
    return undefined
  }

  #takeClaim({ message }: LineOf<'claim'>): StreamFault | undefined {
    const publicKey = this.#gateway?.publicKey ?? ''
    const receipt = openReceipt(Buffer.from(message, 'base64'), { cloudId: this.#cloudId, publicKey })
    return receipt?.gateway === this.#gateway?.id
      ? undefined
      : about('claim', `it is not by ${this.#gateway?.id ?? ''}`)
  }

  #takeStream(line: LineOf<'stream'>): StreamFault | undefined {
    const gateway = this.#gateway
    if (gateway === undefined) return about('order', 'a stream without a gateway')
    const { epoch, parent, upTo, head, state } = line
    const walks = [...gateway.walks.values()]
    const before = parent === null ? undefined : gateway.walks.get(parent)
    const isFollowed = walks.some((walk) => walk.stream.parent === parent)
    if (isFollowed || (parent !== null && before === undefined))
      return about('parent', `${epoch} continues ${parent ?? 'nothing'}`)
    if (this.#epochs.has(epoch)) return about('epoch', epoch)
    this.#epochs.add(epoch)
    const listed = this.#contents.of(gateway.id, epoch)
    const kept = { sums: gateway.sums, parent: before, listed }
    this.#walk = new StreamWalk(gateway.id, { epoch, parent, upTo, head, state }, kept)
    gateway.walks.set(epoch, this.#walk)
    return undefined
  }

  #takeRecords(line: LineOf<'batch' | 'record' | 'others' | 'lost'>): StreamFault | undefined {
    const [walk, scope, publicKey] = [this.#walk, this.#head?.scope, this.#gateway?.publicKey]
    if (walk === undefined || scope === undefined || publicKey === undefined)
      return about('order', 'records without a stream')
    const under = { walk, scope, publicKey, cloudId: this.#cloudId }
    switch (line.t) {
      case 'batch':
        return examineBatch(line, under)
      case 'record':
        return examineRecord(line, under)
      case 'others':
        return scope.of === 'operator'
          ? fault('scope', line.first, 'an operator sees every record')
          : walk.skip(line.first, line.hashes)
      case 'lost':
        return walk.lose(line)
    }
  }

  #takeFact(line: LineOf<'fact'>): StreamFault | undefined {
    const gateway = this.#gateway
    if (gateway === undefined) return about('order', 'a sum without a gateway')
    const { quantity, ...named } = line
    const name = factName(named)
    if (gateway.claimed.has(name)) return about('fact', `${name} stands twice`)
    gateway.claimed.set(name, BigInt(quantity))
    this.#belief.fact?.(gateway.id, { ...named, quantity: BigInt(quantity) })
    return undefined
  }

  #takeSeal(
    { message }: LineOf<'seal'>,
    { lines, hash }: { lines: number; hash: Hash },
  ): StreamFault | undefined {
    const wanted = this.#belief.keyset
    if (wanted !== undefined && comparePolicyOrder(this.#keyset, wanted) < 0)
      return about('keyset', `${wanted.generation}.${wanted.version} is wanted`)
    const missing = this.#contents.begin(undefined)
    if (missing !== undefined) return missing
    const word = this.#said(message)
    if (word?.what !== 'seal') return about('seal', 'it is not signed by a key of the newest keyset')
    return word.lines === lines && word.hash === hash
      ? undefined
      : about('seal', `it is about ${word.lines} lines that end with ${word.hash}`)
  }

  #said(message: string): ReturnType<typeof openWord> {
    const keyset = this.#keyset
    if (keyset === undefined) return undefined
    return openWord(Buffer.from(message, 'base64'), { cloudId: this.#cloudId, keyset })
  }

  /** Whether the stream and the gateway before are whole, where this line begins something else. */
  #endBefore({ t }: EvidenceLine): StreamFault | undefined {
    if (t !== 'stream' && t !== 'gateway' && t !== 'seal') return undefined
    const found = this.#endOfStream()
    // Where it is wrong, this is still the place.
    if (found !== undefined) return found
    this.#walk = undefined
    return t === 'stream' ? undefined : this.#endOfGateway()
  }

  #endOfStream(): StreamFault | undefined {
    const walk = this.#walk
    if (walk === undefined) return undefined
    const { epoch, parent, state, upTo, head } = walk.stream
    const place = { gateway: walk.gateway, epoch, parent, state, upTo, head }
    this.streams.push({ ...place, ...walk.counts })
    this.#contents.found(walk.gateway, epoch)
    return walk.finish()
  }

  #endOfGateway(): StreamFault | undefined {
    if (this.#gateway === undefined) return undefined
    const { id, sums, claimed } = this.#gateway
    const missing = this.#contents.end(id)
    if (missing !== undefined) return missing
    const added = sums.within(this.#head?.period ?? { from: null, to: null })
    for (const name of new Set([...claimed.keys(), ...added.keys()])) {
      const [sum, claim] = [added.get(name) ?? 0n, claimed.get(name) ?? 0n]
      if (sum !== claim) return about('fact', `${name} is ${sum} by the records, ${claim} by the ledger`)
    }
    this.#facts += claimed.size
    return undefined
  }
}
