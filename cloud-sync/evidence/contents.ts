import type { Epoch, GatewayId, Hash } from '../contract/index.ts'
import { fault, type StreamFault } from './faults.ts'
import type { LineOf } from './lines.ts'

/** How far an epoch must be there at least: the ledger may have grown while the file was written. */
export interface Listed {
  readonly upTo: number
  readonly head: Hash
}

/** What a file says it contains, less what was found in it; both are in order of the gateways' ids. */
export class Contents {
  readonly #only: ReadonlySet<GatewayId> | undefined
  /** Asked for, and not listed so far. */
  readonly #unlisted: Set<GatewayId>
  /** Listed, and not found so far. */
  readonly #awaited = new Map<GatewayId, Map<Epoch, Listed>>()
  #last: GatewayId | undefined
  #streams = 0
  #gateways = 0

  constructor(only: readonly GatewayId[] | null) {
    this.#only = only === null ? undefined : new Set(only)
    this.#unlisted = new Set(only)
  }

  get listed(): { readonly gateways: number; readonly streams: number } {
    return { gateways: this.#gateways, streams: this.#streams }
  }

  list(line: LineOf<'contents'>): StreamFault | undefined {
    const { gateway, epoch, upTo, head } = line
    const found = this.#misplaced(line)
    if (found !== undefined) return found
    const epochs = this.#awaited.get(gateway) ?? new Map<Epoch, Listed>()
    if (!this.#awaited.has(gateway)) this.#gateways += 1
    this.#last = gateway
    this.#unlisted.delete(gateway)
    this.#awaited.set(gateway, epochs)
    if (epoch === null) return undefined
    epochs.set(epoch, { upTo, head })
    this.#streams += 1
    return undefined
  }

  #misplaced({ gateway, epoch }: LineOf<'contents'>): StreamFault | undefined {
    if (this.#last !== undefined && gateway < this.#last)
      return fault('order', null, `${gateway} after ${this.#last}`)
    if (this.#only?.has(gateway) === false)
      return aboutOne(gateway, null, `${gateway} is listed, and is none of those that were asked for`)
    const epochs = this.#awaited.get(gateway)
    // A gateway without any epoch has one line, each other one a line for each.
    return epochs !== undefined && (epoch === null || epochs.size === 0 || epochs.has(epoch))
      ? aboutOne(gateway, epoch, `${gateway}, epoch ${epoch ?? 'none'}, is listed twice`)
      : undefined
  }

  /** Whether this gateway is the one that comes next; undefined = none comes any more. */
  begin(gateway: GatewayId | undefined): StreamFault | undefined {
    const [unlisted] = this.#unlisted
    if (unlisted !== undefined)
      return aboutOne(unlisted, null, `${unlisted} was asked for, and is not listed`)
    const [next] = this.#awaited.keys()
    if (next === gateway) return undefined
    if (gateway !== undefined && (next === undefined || gateway < next))
      return aboutOne(gateway, null, `${gateway} is here, and is not listed`)
    return next === undefined ? undefined : aboutOne(next, null, `${next} is listed, and is not here`)
  }

  /** Undefined where the epoch began after the list was written. */
  of(gateway: GatewayId, epoch: Epoch): Listed | undefined {
    return this.#awaited.get(gateway)?.get(epoch)
  }

  found(gateway: GatewayId, epoch: Epoch): void {
    this.#awaited.get(gateway)?.delete(epoch)
  }

  /** Whether every epoch of it was found. */
  end(gateway: GatewayId): StreamFault | undefined {
    const [lacking] = this.#awaited.get(gateway) ?? []
    this.#awaited.delete(gateway)
    if (lacking === undefined) return undefined
    const [epoch, { upTo }] = lacking
    return aboutOne(
      gateway,
      epoch,
      `epoch ${epoch} of ${gateway} is listed with ${upTo} records, and is not here`,
    )
  }
}

const aboutOne = (gateway: GatewayId, epoch: Epoch | null, detail: string): StreamFault => ({
  ...fault('contents', null, detail),
  at: { gateway, epoch },
})
