import type { GatewayId } from '../../contract/index.ts'
import type { Log } from '../log.ts'
import type { LeftOut, LeftOutOf } from './fit.ts'
import type { Damaged } from './sound.ts'

/** What a gateway is not told of all that the directory says. */
interface Missing {
  /** Entries that did not fit, by list. */
  readonly leftOut: LeftOut
  /** The same by whose they are, so that who brings too much can be told. */
  readonly leftOutOf: LeftOutOf
  /** Entries that the contract refuses, by list, the first of each by name. */
  readonly damaged: Damaged
}

/** A gateway that is not told all that the directory says. */
export interface PolicyTrouble extends Omit<Missing, 'leftOut'> {
  readonly gateway: GatewayId
  /** Null = no version could be made, and the last one stays. */
  readonly leftOut: LeftOut | null
}

/** Which gateways are not told everything: logged when it begins and ends, shown as long as it lasts. */
export interface Troubles {
  made(id: GatewayId, missing: Missing): void
  failed(id: GatewayId, error: unknown): void
  all(): readonly PolicyTrouble[]
  /** Those for which no version could be made. */
  toRetry(): readonly GatewayId[]
}

export function createTroubles(log: Log): Troubles {
  const known = new Map<GatewayId, Missing | null>()
  const isNew = (gateway: GatewayId, part: keyof Missing, now: Missing): boolean =>
    Object.keys(now[part]).length > 0 &&
    JSON.stringify(known.get(gateway)?.[part]) !== JSON.stringify(now[part])
  return {
    made(gateway, { leftOut, leftOutOf, damaged }) {
      const missing = { leftOut, leftOutOf, damaged }
      if (isNew(gateway, 'leftOut', missing))
        log.error({ gateway, leftOut, leftOutOf }, 'a policy is too large; the surplus is left out')
      if (isNew(gateway, 'damaged', missing))
        log.error({ gateway, damaged }, 'entries of a policy are damaged and left out; the rest is in force')
      if (Object.keys(leftOut).length + Object.keys(damaged).length > 0) known.set(gateway, missing)
      else if (known.delete(gateway)) log.info({ gateway }, 'the policy says everything again')
    },
    failed(gateway, error) {
      if (known.get(gateway) !== null)
        log.error({ err: error, gateway }, 'a policy could not be made; the last one stays, tried again')
      known.set(gateway, null)
    },
    all: () =>
      [...known].map(([gateway, missing]) => ({
        gateway,
        leftOut: missing?.leftOut ?? null,
        leftOutOf: missing?.leftOutOf ?? {},
        damaged: missing?.damaged ?? {},
      })),
    toRetry: () => [...known].flatMap(([gateway, missing]) => (missing === null ? [gateway] : [])),
  }
}
