import { type GatewayEvent, type GatewayId, RECEIPT_DETAIL, RECEIPT_EVENT } from '../contract/index.ts'
import { sha256 } from '../codec/index.ts'
import { claimDocuments, type DirectoryWorld, type OrgDirectory } from './directory/index.ts'
import type { Log } from './log.ts'

/** Claiming as the link sees it: what a gateway is to be told, and what it tells. */
export interface Claims {
  /** What the cloud has to say to this gateway about claiming, as it travels. */
  documentsFor(gateway: GatewayId): Promise<readonly Uint8Array[]>
  /**
   * Takes the receipts among a gateway's events into the directory. Done before the events are acknowledged: where this
   * fails, the gateway sends them again, and the same receipt counts once.
   */
  take(gateway: GatewayId, events: readonly GatewayEvent[]): Promise<void>
  /** Called when there is something new to tell a gateway. */
  onNews(listener: (gateway: GatewayId) => void): () => void
  /** A claim was reserved through this process. */
  announce(gateway: GatewayId): void
}

export function createClaims({
  world,
  directory,
  log,
}: {
  world: DirectoryWorld
  directory: OrgDirectory
  log: Log
}): Claims {
  const listeners = new Set<(gateway: GatewayId) => void>()
  return {
    documentsFor: (gateway) => claimDocuments(world, gateway),
    async take(gateway, events) {
      for (const { kind, detail } of events) {
        const receipt = detail[RECEIPT_DETAIL]
        if (kind !== RECEIPT_EVENT || typeof receipt !== 'string') continue
        const key = `receipt-${sha256(Buffer.from(receipt))}`
        const call = { actor: { kind: 'operator', name: `link ${gateway}` }, key } as const
        const outcome = await directory.write.claims.receive(call, { gateway, receipt })
        if (outcome.ok) log.info({ ...outcome.value }, 'a gateway told of its claim')
        else log.warn({ gateway, code: outcome.code }, 'what a gateway told of its claim was refused')
      }
    },
    onNews(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    announce(gateway) {
      for (const listener of listeners) listener(gateway)
    },
  }
}

/** The same directory; a reservation that was made through it is told to its gateway at once. */
export function announcing(directory: OrgDirectory, announce: (gateway: GatewayId) => void): OrgDirectory {
  const { claims } = directory.write
  return {
    ...directory,
    write: {
      ...directory.write,
      claims: {
        ...claims,
        async reserve(call, input) {
          const outcome = await claims.reserve(call, input)
          if (outcome.ok) announce(outcome.value.gateway)
          return outcome
        },
      },
    },
  }
}
