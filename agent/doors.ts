import type { ClaimService } from './claim/index.ts'
import type { GatewayClock } from './clock/index.ts'
import type { Config } from './config/config.ts'
import { accessRoutes } from './console/access-routes.ts'
import type { Mount } from './console/app.ts'
import { administratorCaller, type CallerOf, memberCaller } from './console/caller.ts'
import { changeRoutes } from './console/change-routes.ts'
import { factRoutes } from './console/fact-routes.ts'
import { Guesses } from './console/guesses.ts'
import { policyUpload } from './console/policy-upload.ts'
import { claimRoutes } from './console/claim.ts'
import { type ConsoleServer, createConsole } from './console/server.ts'
import { policyRoutes } from './local-api/policy-routes.ts'
import { createLocalApi } from './local-api/server.ts'
import type { GatewayFacts } from './local-api/state.ts'
import type { Log } from './log.ts'
import { ChangesHere } from './policy/changes-here.ts'
import type { PolicyInForce } from './policy/in-force.ts'
import type { Store } from './storage/index.ts'

interface DoorParts {
  readonly store: Store
  readonly clock: GatewayClock
  readonly log: Log
  readonly facts: GatewayFacts
  readonly inForce: PolicyInForce
  /** Null without a cloud: there is nobody to claim it for. */
  readonly claim: ClaimService | null
}

interface Doors {
  /** The Unix socket in the data folder: for whoever runs the machine. */
  readonly localApi: { start(): Promise<void>; stop(): Promise<void> }
  /** The HTTP port, for members; null where none is configured. */
  readonly console: ConsoleServer | null
}

/** The two ways to ask the running gateway, with the routes of each. A new subject adds its routes here. */
export function doorsOf(config: Config, { store, clock, log, facts, inForce, claim }: DoorParts): Doors {
  const monoMs = (): number => clock.now().monoMs
  const changes = new ChangesHere({ inForce, changes: store.changes })
  const member = memberCaller(inForce, new Guesses(monoMs))
  const onBoth = (callerOf: CallerOf, { isOwnSocket }: { isOwnSocket: boolean }): Mount[] => [
    (app) => {
      accessRoutes(app, { inForce, callerOf })
    },
    (app) => {
      changeRoutes(app, { inForce, callerOf, changes })
    },
    (app) => {
      policyUpload(app, { sink: store.policy, monoMs })
    },
    (app) => {
      if (claim !== null) claimRoutes(app, { claim, monoMs, isOwnSocket })
    },
  ]
  const localApi = createLocalApi(config.gateway.dataDir, {
    facts,
    log,
    mounts: [policyRoutes(store), ...onBoth(administratorCaller(member), { isOwnSocket: true })],
  })
  if (config.console === null) return { localApi, console: null }
  const { host, port, names } = config.console
  const mounts: Mount[] = [
    (app) => {
      factRoutes(app, { inForce, callerOf: member, facts })
    },
    ...onBoth(member, { isOwnSocket: false }),
  ]
  return { localApi, console: createConsole({ host, port, names, log, mounts }) }
}
