import type { GatewayId } from '../../contract/index.ts'
import type { Log } from '../log.ts'
import type { LeftOut } from './fit.ts'

/** A gateway that is not told all that the directory says. */
export interface PolicyTrouble {
  readonly gateway: GatewayId
  /** Entries that did not fit, by list; null = no version could be made, and the last one stays. */
  readonly leftOut: LeftOut | null
}

/** Which gateways are not told everything: logged when it begins and ends, shown as long as it lasts. */
export interface Troubles {
  made(id: GatewayId, leftOut: LeftOut): void
  failed(id: GatewayId, error: unknown): void
  all(): readonly PolicyTrouble[]
  /** Those for which no version could be made. */
  toRetry(): readonly GatewayId[]
}

export function createTroubles(log: Log): Troubles {
  const known = new Map<GatewayId, LeftOut | null>()
  return {
    made(gateway, leftOut) {
      const before = known.get(gateway)
      if (Object.keys(leftOut).length === 0) {
        if (known.delete(gateway)) log.info({ gateway }, 'the policy says everything again')
        return
      }
      known.set(gateway, leftOut)
      if (JSON.stringify(before) !== JSON.stringify(leftOut))
        log.error({ gateway, leftOut }, 'a policy is too large; what is new in it is left out')
    },
    failed(gateway, error) {
      if (known.get(gateway) !== null)
        log.error({ err: error, gateway }, 'a policy could not be made; the last one stays, tried again')
      known.set(gateway, null)
    },
    all: () => [...known].map(([gateway, leftOut]) => ({ gateway, leftOut })),
    toRetry: () => [...known].flatMap(([gateway, leftOut]) => (leftOut === null ? [gateway] : [])),
  }
}
