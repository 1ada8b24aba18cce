import { decodeReadingBatch } from '../../cloud-sync/codec/index.ts'
import type { ChannelDef, Stream, Subject } from '../../cloud-sync/contract/index.ts'
import type { Owner } from '../metering/index.ts'
import { type Claim, largestRemainder } from './attribution.ts'

/** One message as it was given to the socket of the link to the cloud. */
export interface SentMessage {
  readonly stream: Stream
  readonly body: Uint8Array
  /** The whole PUBLISH packet, bytes. */
  readonly bytes: number
}

interface CarriedParts {
  /** What a channel number stands for. */
  readonly channel: (no: number) => ChannelDef | undefined
  /** Whose sensor it was when it was read; the same object while nothing changes. */
  readonly payerOf: (def: ChannelDef) => { readonly subject: Subject; readonly owner: Owner }
}

/**
 * Whose readings the messages carried that went to the cloud. A batch is packed as a whole, so its bytes are divided by the
 * readings of each sensor in it; what is sent again is carried again.
 */
export class CarriedReadings {
  readonly #parts: CarriedParts
  #claims: Claim[] = []

  constructor(parts: CarriedParts) {
    this.#parts = parts
  }

  sent({ stream, body, bytes }: SentMessage): void {
    if (stream !== 'rd' && stream !== 'rd/h') return
    const counts = this.#countsIn(body)
    if (counts.size === 0) return
    const carried = [...counts]
    const weights = carried.map(([, count]) => BigInt(count))
    const parts = largestRemainder(BigInt(bytes), weights)
    for (const [index, [payer]] of carried.entries()) {
      const payload = parts[index] ?? 0n
      // Headers and acknowledgements are shared like the packet that they are for.
      this.#claims.push({ ...payer, payload, packets: payload })
    }
  }

  /** What was carried since this was asked last. */
  take(): readonly Claim[] {
    const claims = this.#claims
    this.#claims = []
    return claims
  }

  #countsIn(body: Uint8Array): Map<Payer, number> {
    const payers = new Map<number, Payer | undefined>()
    const counts = new Map<Payer, number>()
    for (const { channel: no } of decodeReadingBatch(body).readings) {
      if (!payers.has(no)) payers.set(no, this.#payerOf(no))
      const payer = payers.get(no)
      if (payer !== undefined) counts.set(payer, (counts.get(payer) ?? 0) + 1)
    }
    return merged(counts)
  }

  #payerOf(no: number): Payer | undefined {
    const def = this.#parts.channel(no)
    return def === undefined ? undefined : this.#parts.payerOf(def)
  }
}

type Payer = ReturnType<CarriedParts['payerOf']>

/** Channels of one sensor have one payer. */
function merged(counts: ReadonlyMap<Payer, number>): Map<Payer, number> {
  const firsts: Payer[] = []
  const sums = new Map<Payer, number>()
  for (const [payer, count] of counts) {
    const known = firsts.find(({ subject, owner }) => subject === payer.subject && owner === payer.owner)
    if (known === undefined) firsts.push(payer)
    const first = known ?? payer
    sums.set(first, (sums.get(first) ?? 0) + count)
  }
  return sums
}
