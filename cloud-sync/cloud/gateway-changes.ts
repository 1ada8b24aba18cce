import type { GatewayChange, GatewayId, PolicyWant } from '../contract/index.ts'
import { createChangeTaker, type DirectoryWorld, goOnAfter, type Heard } from './directory/index.ts'
import type { Log } from './log.ts'
import { projectGateway } from './policies/index.ts'

/** Changes of who may do what that were made at gateways, as the link sees them. */
export interface GatewayChanges {
  /**
   * Judges a change and writes what follows from it into the directory, in one transaction with how far that gateway is
   * heard. The same change counts once and is answered the same again. Throws where it cannot be taken now.
   */
  take(change: GatewayChange, body: Uint8Array): Promise<Heard>
  /** A gateway says that what is missing before this one never comes. Never rejects: it says so again. */
  lost(gateway: GatewayId, first: NonNullable<PolicyWant['changes']>): Promise<void>
}

export function createGatewayChanges({ world, log }: { world: DirectoryWorld; log: Log }): GatewayChanges {
  const takeChange = createChangeTaker({ world, factsOf: projectGateway })
  return {
    async take(change, body) {
      const heard = await takeChange(change, body)
      for (const { seq, state, because, winner } of heard.verdicts)
        log.info({ gateway: change.gw, seq, state, because, winner }, 'a change made at a gateway was judged')
      return heard
    },
    async lost(gateway, first) {
      try {
        if (await goOnAfter(world, { gateway, ...first }))
          log.warn({ gateway, ...first }, 'changes of a gateway are lost: this cloud came back from a backup')
      } catch (error) {
        log.error({ err: error, gateway }, 'lost changes were not noted')
      }
    },
  }
}
