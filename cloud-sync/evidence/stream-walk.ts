import {
  BATCH_RECORDS_MAX,
  type GatewayId,
  type Hash,
  type SealedRecord,
  ZERO_HASH,
} from '../contract/index.ts'
import type { Listed } from './contents.ts'
import { fault, type StreamFault } from './faults.ts'
import type { EvidenceStream } from './lines.ts'
import { Registers } from './registers.ts'
import type { Sums } from './sums.ts'

/** Follows one epoch of one gateway from its first record to its head. */
export class StreamWalk {
  readonly gateway: GatewayId
  readonly stream: EvidenceStream
  readonly registers: Registers
  /** Records under the gateway's own signature, those under the cloud's seal alone, and hashes in the place of others'; numbers that are lost. */
  readonly counts = { batches: 0, signed: 0, attested: 0, hidden: 0, lost: 0 }
  #head: Hash = ZERO_HASH
  #next = 1
  /** Of the newest records: batches put together anew after a reconnect may overlap by less than one batch. */
  readonly #recent = new Map<number, Hash>()

  readonly #sums: Sums
  readonly #listed: Listed | undefined
  /** Hash of the record up to which the epoch must be here at least. */
  #atListed: Hash = ZERO_HASH

  constructor(
    gateway: GatewayId,
    stream: EvidenceStream,
    { sums, parent, listed }: { sums: Sums; parent: StreamWalk | undefined; listed: Listed | undefined },
  ) {
    this.gateway = gateway
    this.#sums = sums
    this.#listed = listed
    this.stream = stream
    this.registers = new Registers(parent?.registers)
  }

  /** The number that comes next, and the hash that it must name. */
  get next(): number {
    return this.#next
  }
  get head(): Hash {
    return this.#head
  }

  /** One record that is here with its bytes. */
  take({ record, hash }: SealedRecord, by: 'signed' | 'attested'): StreamFault | undefined {
    const { seq } = record
    if (record.gw !== this.gateway || record.epoch !== this.stream.epoch) {
      return fault('stream', seq, `the record is of ${record.gw}, epoch ${record.epoch}`)
    }
    if (seq < this.#next) return this.#repeated(seq, hash)
    if (seq > this.#next) return fault('gap', this.#next, `number ${seq} follows ${this.#next - 1}`)
    if (record.prev !== this.#head) {
      return fault('prev', seq, `it names ${record.prev} as the one before, which is ${this.#head}`)
    }
    const moved = this.registers.move(record)
    if (typeof moved === 'string') return fault('register', seq, moved)
    this.#sums.add(record, moved)
    this.counts[by] += 1
    this.#goOn(hash)
    return undefined
  }

  /** Records of others, of which only the hash is here. */
  skip(first: number, hashes: readonly Hash[]): StreamFault | undefined {
    if (first !== this.#next) return fault('gap', this.#next, `number ${first} follows ${this.#next - 1}`)
    for (const hash of hashes) this.#goOn(hash)
    this.counts.hidden += hashes.length
    return undefined
  }

  /** Records that nobody has any more: the next one says how the chain went on, and how far registers had come. */
  lose({ first, last, prev }: { first: number; last: number; prev: Hash }): StreamFault | undefined {
    if (first !== this.#next) return fault('gap', this.#next, `number ${first} follows ${this.#next - 1}`)
    // Lost is only what lies before something that is here.
    if (last < first || last >= this.stream.upTo)
      return fault('lost', first, `up to ${last} of ${this.stream.upTo}`)
    this.counts.lost += last - first + 1
    this.#reach(last, prev)
    return undefined
  }

  /** Whether all is here that the ledger claims to have, and that the file says it contains. */
  finish(): StreamFault | undefined {
    const { upTo, head } = this.stream
    if (this.#next - 1 !== upTo) {
      return fault('head', this.#next, `the ledger has ${upTo} records, here are ${this.#next - 1}`)
    }
    return head === this.#head
      ? this.#lacking()
      : fault('head', upTo, `the ledger ends with ${head}, the chain with ${this.#head}`)
  }

  #lacking(): StreamFault | undefined {
    const listed = this.#listed
    if (listed === undefined) return undefined
    if (listed.upTo >= this.#next)
      return fault('contents', this.#next, `${listed.upTo} records are listed, here are ${this.#next - 1}`)
    return listed.head === this.#atListed
      ? undefined
      : fault('contents', listed.upTo, `${listed.head} is listed, here is ${this.#atListed}`)
  }

  #repeated(seq: number, hash: Hash): StreamFault | undefined {
    return this.#recent.get(seq) === hash
      ? undefined
      : fault('repeat', seq, 'the same number was here before with other bytes, or too long ago')
  }

  #goOn(hash: Hash): void {
    this.#recent.set(this.#next, hash)
    this.#recent.delete(this.#next - BATCH_RECORDS_MAX)
    this.#reach(this.#next, hash)
  }

  #reach(seq: number, hash: Hash): void {
    if (seq === this.#listed?.upTo) this.#atListed = hash
    this.#head = hash
    this.#next = seq + 1
  }
}
